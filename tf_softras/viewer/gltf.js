"use strict";
// Reads binary glTF: the triangles of a scene, placed by its nodes, with the colours of vertices and materials. Textures,
// compressed and sparse data are not read. Errors end the sentence "Expected a mesh in binary glTF, received ...".

const GREY = [0.7, 0.7, 0.7];

const COMPONENTS = {
  5120: ["getInt8", 1, 127], 5121: ["getUint8", 1, 255], 5122: ["getInt16", 2, 32767],
  5123: ["getUint16", 2, 65535], 5125: ["getUint32", 4, 1], 5126: ["getFloat32", 4, 1],
};
const WIDTHS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };

// Rows of numbers: [[x, y, z], ...].
function readAccessor(gltf, binary, index) {
  const { bufferView, byteOffset = 0, componentType, count, type, normalized, sparse } = gltf.accessors[index];
  const view = gltf.bufferViews[bufferView];
  if (!view || view.buffer !== 0 || sparse) throw new Error("a glTF whose data is not in the file as it stands");
  const [getter, size, largest] = COMPONENTS[componentType];
  const width = WIDTHS[type];
  const start = (view.byteOffset || 0) + byteOffset;
  const step = view.byteStride || size * width;
  const row = (i) => Array.from({ length: width }, (_, j) => {
    const value = binary[getter](start + i * step + j * size, true);
    return normalized ? value / largest : value;
  });
  if (start + (count - 1) * step + width * size > binary.byteLength) throw new Error("a glTF with data missing");
  return Array.from({ length: count }, (_, i) => row(i));
}

// Node to parent, as a function on points.
function placement({ matrix: m, translation: t = [0, 0, 0], rotation: q = [0, 0, 0, 1], scale: s = [1, 1, 1] }) {
  if (m) return ([x, y, z]) => [0, 1, 2].map((i) => m[i] * x + m[4 + i] * y + m[8 + i] * z + m[12 + i]);
  const [a, b, c, w] = q;
  return (point) => {
    const [x, y, z] = point.map((value, i) => value * s[i]);
    const u = [b * z - c * y + w * x, c * x - a * z + w * y, a * y - b * x + w * z];
    const turned = [b * u[2] - c * u[1], c * u[0] - a * u[2], a * u[1] - b * u[0]];
    return [x, y, z].map((value, i) => value + 2 * turned[i] + t[i]);
  };
}

const toSrgb = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

// {positions, colors, indices}: the triangles of the whole scene, its box centred, the longest side 1.
function readGlb(buffer) {
  const header = new DataView(buffer);
  if (buffer.byteLength < 20 || header.getUint32(0, true) !== 0x46546c67) throw new Error("another kind of file");
  const length = header.getUint32(12, true);
  const gltf = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
  if ((gltf.extensionsRequired || []).length) throw new Error(`a glTF that needs ${gltf.extensionsRequired}`);
  const binary = new DataView(buffer, Math.min(28 + length, buffer.byteLength));
  const positions = [], colors = [], indices = [];
  const add = ({ attributes, indices: index, material, mode = 4 }, place) => {
    if (mode !== 4) return;
    const first = positions.length;
    const points = readAccessor(gltf, binary, attributes.POSITION);
    const factor = gltf.materials?.[material]?.pbrMetallicRoughness?.baseColorFactor;
    const tints = "COLOR_0" in attributes ? readAccessor(gltf, binary, attributes.COLOR_0) : null;
    points.forEach((point, i) => {
      const linear = [0, 1, 2].map((j) => (tints ? tints[i][j] : 1) * (factor ? factor[j] : 1));
      positions.push(place(point));
      colors.push(tints || factor ? linear.map(toSrgb) : GREY);
    });
    const corners = index === undefined ? points.map((_, i) => [i]) : readAccessor(gltf, binary, index);
    if (corners.some(([corner]) => corner >= points.length)) throw new Error("a face whose vertex is missing");
    corners.forEach(([corner]) => indices.push(first + corner));
  };
  const seen = new Set();
  const visit = (number, place) => {
    if (seen.has(number)) throw new Error("a node with two parents");
    seen.add(number);
    const node = gltf.nodes[number], own = placement(node);
    const placed = (point) => place(own(point));
    if (node.mesh !== undefined) gltf.meshes[node.mesh].primitives.forEach((primitive) => add(primitive, placed));
    (node.children || []).forEach((child) => visit(child, placed));
  };
  gltf.scenes[gltf.scene || 0].nodes.forEach((number) => visit(number, (point) => point));
  if (!indices.length) throw new Error("a glTF without triangles");
  return { positions: normalized(positions), colors, indices };
}

function normalized(positions) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const point of positions)
    point.forEach((value, i) => { low[i] = Math.min(low[i], value); high[i] = Math.max(high[i], value); });
  const side = Math.max(...high.map((value, i) => value - low[i])) || 1;
  return positions.map((point) => point.map((value, i) => (value - (low[i] + high[i]) / 2) / side));
}
