"use strict";
// Shows a mesh, binary glTF, on a canvas (WebGL 2), turning until it is touched. Camera, light and colours are those of
// tf_softras/rendering.py: what is seen here is what is rendered there. Textures are not shown.

const HALF_ANGLE = Math.tan((15 * Math.PI) / 180);
const DISTANCE = 2.732;
const DEGREES_PER_SECOND = 30;

const VERTEX_SHADER = `#version 300 es
in vec3 position, color;
uniform vec3 eye, right, up, forward;
uniform vec2 scale;
uniform float far;
out vec3 world, srgb;
void main() {
  vec3 seen = vec3(dot(position - eye, right), dot(position - eye, up), dot(position - eye, forward));
  const float near = 0.01;
  gl_Position = vec4(seen.xy * scale, ((far + near) * seen.z - 2.0 * far * near) / (far - near), seen.z);
  world = position;
  srgb = color;
}`;

const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec3 world, srgb;
uniform vec3 eye;
out vec4 pixel;
void main() {
  vec3 normal = cross(dFdx(world), dFdy(world));
  normal /= max(length(normal), 1e-30);
  float facing = dot(normal, normalize(eye - world));
  float upward = facing < 0.0 ? -normal.y : normal.y;
  pixel = vec4(srgb * (0.45 + 0.35 * abs(facing) + 0.2 * max(upward, 0.0)), 1.0);
}`;

class MeshViewer {
  constructor(canvas, { azimuth = 30, elevation = 30, turning = true } = {}) {
    Object.assign(this, { canvas, azimuth, elevation, turning, zoom: 1, count: 0 });
    this.gl = canvas.getContext("webgl2", { antialias: true });
    if (!this.gl) throw new Error("This browser does not show 3D graphics: WebGL 2 is switched off or missing.");
    this.prepare();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.prepare(); this.upload(); });
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.turning = false; });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) this.move(0.4 * event.movementX, 0.4 * event.movementY);
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom = Math.min(5, Math.max(0.3, this.zoom * Math.exp(-event.deltaY / 1000)));
      this.dirty = true;
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
      if (step) { event.preventDefault(); this.turning = false; this.move(...step); }
    });
    new ResizeObserver(() => { this.dirty = true; }).observe(canvas);
    let last = performance.now();
    const frame = (now) => {
      if (this.turning) this.move((DEGREES_PER_SECOND * (now - last)) / 1000, 0);
      last = now;
      if (this.dirty) this.draw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  show(buffer) {
    this.mesh = readGlb(buffer);
    this.upload();
  }

  move(azimuth, elevation) {
    this.azimuth = (this.azimuth + azimuth + 360) % 360;
    this.elevation = Math.min(89, Math.max(-89, this.elevation + elevation));
    this.dirty = true;
  }

  prepare() {
    const gl = this.gl;
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(`This browser's 3D graphics failed: ${gl.getProgramInfoLog(this.program)}`);
    this.buffers = [0, 1, 2].map(() => gl.createBuffer());
    gl.useProgram(this.program);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(1, 1, 1, 1);
  }

  upload() {
    if (!this.mesh) return;
    const gl = this.gl, { positions, colors, indices } = this.mesh;
    [["position", positions], ["color", colors]].forEach(([name, rows], i) => {
      const location = gl.getAttribLocation(this.program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[i]);
      gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(rows.flat()), gl.STATIC_DRAW);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, 3, gl.FLOAT, false, 0, 0);
    });
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[2]);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint32Array(indices), gl.STATIC_DRAW);
    this.count = indices.length;
    this.dirty = true;
  }

  draw() {
    const { gl, canvas } = this;
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (!canvas.width || !canvas.height) return;
    const [t, e] = [this.azimuth, this.elevation].map((angle) => (angle * Math.PI) / 180);
    const outward = [Math.cos(e) * Math.cos(t), Math.sin(e), Math.cos(e) * Math.sin(t)];
    const distance = DISTANCE / this.zoom;
    const uniforms = {
      eye: outward.map((value) => distance * value),
      forward: outward.map((value) => -value),
      right: [Math.sin(t), 0, -Math.cos(t)],
      up: [-Math.sin(e) * Math.cos(t), Math.cos(e), -Math.sin(e) * Math.sin(t)],
    };
    const location = (name) => gl.getUniformLocation(this.program, name);
    for (const [name, value] of Object.entries(uniforms)) gl.uniform3fv(location(name), value);
    const shorter = Math.min(canvas.width, canvas.height);
    gl.uniform2f(location("scale"), shorter / canvas.width / HALF_ANGLE, shorter / canvas.height / HALF_ANGLE);
    gl.uniform1f(location("far"), distance + 2);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_INT, 0);
    this.dirty = false;
    canvas.dataset.faces = this.count / 3;
  }
}
