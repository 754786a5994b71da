"use strict";
// Shows a mesh on a canvas (WebGL 2), turning until it is touched: what tf_softras.viewer.scene_of gives. Light, colours,
// textures and glass are those of tf_softras/rendering, so what is seen here is what is rendered there.

const HALF_ANGLE = Math.tan((15 * Math.PI) / 180);
const DISTANCE = 2.732;
const DEGREES_PER_SECOND = 30;

const VERTEX_SHADER = `#version 300 es
in vec3 position;
in vec4 color;
in vec2 uv;
uniform vec3 eye, right, up, forward;
uniform vec2 scale;
uniform float far;
out vec3 world;
out vec4 srgb;
out vec2 place;
void main() {
  vec3 seen = vec3(dot(position - eye, right), dot(position - eye, up), dot(position - eye, forward));
  const float near = 0.01;
  gl_Position = vec4(seen.xy * scale, ((far + near) * seen.z - 2.0 * far * near) / (far - near), seen.z);
  world = position;
  srgb = color;
  place = uv;
}`;

const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec3 world;
in vec4 srgb;
in vec2 place;
uniform vec3 eye;
uniform sampler2D picture;
uniform bool textured;
uniform float cutoff;
out vec4 pixel;
vec3 toLinear(vec3 v) { return mix(v / 12.92, pow((v + 0.055) / 1.055, vec3(2.4)), greaterThan(v, vec3(0.04045))); }
vec3 toSrgb(vec3 v) {
  return mix(12.92 * v, 1.055 * pow(max(v, vec3(0.0031308)), vec3(1.0 / 2.4)) - 0.055, greaterThan(v, vec3(0.0031308)));
}
void main() {
  vec4 color = clamp(srgb, 0.0, 1.0);
  vec4 texel = texture(picture, place);
  if (textured) color = vec4(toSrgb(texel.rgb * toLinear(color.rgb)), color.a * texel.a);
  vec3 normal = cross(dFdx(world), dFdy(world));
  normal /= max(length(normal), 1e-30);
  if (cutoff >= 0.0) {
    if (color.a < cutoff) discard;
    color.a = 1.0;
  }
  float facing = dot(normal, normalize(eye - world));
  float upward = facing < 0.0 ? -normal.y : normal.y;
  pixel = vec4(color.rgb * (0.45 + 0.35 * abs(facing) + 0.2 * max(upward, 0.0)), color.a);
}`;

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

class MeshViewer {
  constructor(canvas, { azimuth = 30, elevation = 30, distance = null, turning = true } = {}) {
    Object.assign(this, { canvas, azimuth, elevation, distance, turning, zoom: 1, shown: 0, scene: null });
    this.gl = canvas.getContext("webgl2", { antialias: true });
    if (!this.gl) throw new Error("This browser does not show 3D graphics: WebGL 2 is switched off or missing.");
    this.prepare();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.prepare(); if (this.scene) this.upload(); });
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

  // Resolves when the mesh is on the canvas; what is shown later in the meantime counts.
  async show(scene) {
    const number = ++this.shown;
    const pictures = await Promise.all(scene.textures.map((texture) => createImageBitmap(
      new Blob([bytesOf(texture.picture)], { type: "image/png" }),
      { premultiplyAlpha: "none", colorSpaceConversion: "none", imageOrientation: "flipY" })));
    if (number !== this.shown) return;
    const positions = new Float32Array(bytesOf(scene.positions).buffer);
    const indices = new Uint32Array(bytesOf(scene.indices).buffer);
    this.scene = { ...scene, positions, indices, pictures, colors: bytesOf(scene.colors) };
    this.scene.uvs = scene.uvs ? new Float32Array(bytesOf(scene.uvs).buffer) : new Float32Array(2 * positions.length / 3);
    this.scene.clear = this.clearFaces();
    this.upload();
  }

  // Lists the number, the group and the middle of each transparent face.
  clearFaces() {
    const { groups, indices, positions } = this.scene, faces = [];
    for (const group of groups.filter((one) => one.clear))
      for (let face = group.first; face < group.first + group.count; face++) {
        const middle = [0, 0, 0];
        for (let i = 0; i < 9; i++) middle[i % 3] += positions[3 * indices[3 * face + Math.floor(i / 3)] + (i % 3)] / 3;
        faces.push({ face, group, middle });
      }
    return faces;
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
    this.buffers = [0, 1, 2, 3].map(() => gl.createBuffer());
    this.sorted = gl.createBuffer();
    this.textures = [];
    // Faces without a texture need one of a texel all the same.
    this.blank = this.texture(new ImageData(1, 1), "repeat");
    gl.useProgram(this.program);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(1, 1, 1, 1);
    gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  upload() {
    const gl = this.gl, { positions, colors, uvs, indices, textures, pictures } = this.scene;
    [["position", positions, 3, gl.FLOAT], ["color", colors, 4, gl.UNSIGNED_BYTE], ["uv", uvs, 2, gl.FLOAT]].forEach(
      ([name, values, width, type], i) => {
        const location = gl.getAttribLocation(this.program, name);
        gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[i]);
        gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
        gl.enableVertexAttribArray(location);
        gl.vertexAttribPointer(location, width, type, type !== gl.FLOAT, 0, 0);
      });
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[3]);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
    this.textures.forEach((texture) => gl.deleteTexture(texture));
    this.textures = pictures.map((picture, i) => this.texture(picture, textures[i].wrap));
    this.dirty = true;
  }

  // Texels are averaged, and interpolated between mip-maps, as linear light.
  texture(picture, wrap) {
    const gl = this.gl, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    gl.generateMipmap(gl.TEXTURE_2D);
    const wrapped = wrap === "clamp" ? gl.CLAMP_TO_EDGE : gl.REPEAT;
    for (const [name, value] of [[gl.TEXTURE_WRAP_S, wrapped], [gl.TEXTURE_WRAP_T, wrapped],
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR]])
      gl.texParameteri(gl.TEXTURE_2D, name, value);
    return texture;
  }

  draw() {
    this.dirty = false;
    const { gl, canvas, scene } = this;
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (!canvas.width || !canvas.height || !scene) return;
    const [t, e] = [this.azimuth, this.elevation].map((angle) => (angle * Math.PI) / 180);
    const outward = [Math.cos(e) * Math.cos(t), Math.sin(e), Math.cos(e) * Math.sin(t)];
    const distance = (this.distance || scene.distance || DISTANCE) / this.zoom;
    const uniforms = {
      eye: outward.map((value) => distance * value),
      forward: outward.map((value) => -value),
      right: [Math.sin(t), 0, -Math.cos(t)],
      up: [-Math.sin(e) * Math.cos(t), Math.cos(e), -Math.sin(e) * Math.sin(t)],
    };
    for (const [name, value] of Object.entries(uniforms)) gl.uniform3fv(this.location(name), value);
    const shorter = Math.min(canvas.width, canvas.height);
    gl.uniform2f(this.location("scale"), shorter / canvas.width / HALF_ANGLE, shorter / canvas.height / HALF_ANGLE);
    gl.uniform1f(this.location("far"), distance + 2);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[3]);
    for (const group of scene.groups.filter((one) => !one.clear)) this.drawGroup(group, group.first, group.count);
    if (scene.clear.length) this.drawClear(outward);
    canvas.dataset.faces = scene.indices.length / 3;
  }

  // Faces that something is seen through, the farthest first, over what is opaque.
  drawClear(outward) {
    const { gl, scene } = this, { indices, clear } = scene;
    for (const one of clear) one.depth = one.middle.reduce((sum, value, i) => sum + value * outward[i], 0);
    clear.sort((a, b) => a.depth - b.depth);
    const order = new Uint32Array(3 * clear.length);
    clear.forEach(({ face }, i) => order.set(indices.subarray(3 * face, 3 * face + 3), 3 * i));
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.sorted);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
    gl.depthMask(false);
    gl.enable(gl.BLEND);
    for (let first = 0, last = 0; first < clear.length; first = last) {
      while (last < clear.length && clear[last].group === clear[first].group) last++;
      this.drawGroup(clear[first].group, first, last - first);
    }
  }

  drawGroup({ texture, cutoff }, first, count) {
    const { gl } = this;
    gl.uniform1i(this.location("textured"), texture === null ? 0 : 1);
    gl.uniform1f(this.location("cutoff"), cutoff === null ? -1 : cutoff);
    gl.bindTexture(gl.TEXTURE_2D, texture === null ? this.blank : this.textures[texture]);
    gl.drawElements(gl.TRIANGLES, 3 * count, gl.UNSIGNED_INT, 12 * first);
  }

  location(name) {
    return this.gl.getUniformLocation(this.program, name);
  }
}
