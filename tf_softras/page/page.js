"use strict";
// The page: sends a picture, and shows what comes back. Files are kept in the page; the server keeps nothing.

const at = (id) => document.getElementById(id);
// `pixels` is the decoded picture, null where the browser cannot decode it; `box` is in pixels of the upright picture.
const chosen = { picture: null, mask: null, pixels: null, opaque: false, box: null };
let settings = { samples: [], maxUploadBytes: Infinity };
let viewer = null;
let request = null;

const MEDIA_TYPES = { glb: "model/gltf-binary", obj: "model/obj", mtl: "model/mtl" };

function say(status, error = "") {
  at("status").textContent = status;
  at("status").classList.toggle("busy", status.endsWith("..."));
  at("error").textContent = error;
}

// The bytes of a file in base64.
function encoded(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `The server refused: HTTP ${response.status}.`);
  return answer;
}

// A photograph waits for its box, or a mask.
const waits = () => chosen.opaque && !chosen.box && !chosen.mask;

async function reconstruct() {
  if (request) request.abort();
  const mine = (request = new AbortController());
  at("result").hidden = true;
  say("");
  if (!chosen.picture || waits()) return;
  say(chosen.box ? "Cutting the object out ..." : "Working ...");
  try {
    for (const file of [chosen.picture, chosen.mask])
      if (file && file.size > settings.maxUploadBytes)
        throw new Error(`${file.name} is too large: expected at most ${settings.maxUploadBytes} bytes; received ${file.size}.`);
    const body = { picture: await encoded(chosen.picture), mask: chosen.mask && (await encoded(chosen.mask)), box: chosen.box };
    show(await asked("reconstruct", { method: "POST", body: JSON.stringify(body), signal: mine.signal }));
    say("Done.");
  } catch (error) {
    if (mine === request) say("", error.message);
  }
}

function picture(url, words) {
  const figure = document.createElement("figure"), image = new Image(), caption = document.createElement("figcaption");
  image.src = url;
  image.alt = caption.textContent = words;
  figure.append(image, caption);
  return figure;
}

function show({ object, cutOut, silhouettes, files, scene }) {
  at("result").hidden = false;
  at("object").src = object;
  at("cut-out").src = cutOut;
  at("silhouettes").replaceChildren(...silhouettes.map((view) => picture(view.picture, `${view.azimuth}°`)));
  const bytes = Object.entries(files).map(([name, text]) => [name, Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
  document.querySelectorAll("#downloads a").forEach((link) => URL.revokeObjectURL(link.href));
  at("downloads").replaceChildren(...bytes.map(([name, content]) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: MEDIA_TYPES[name.split(".").pop()] }));
    link.download = link.textContent = name;
    return link;
  }));
  viewer = viewer || new MeshViewer(at("mesh"));
  viewer.show(scene).catch((error) => say("", error.message));
}

// Takes a picture and its mask; shows it, and where it is opaque asks for a box.
async function choose(picture, mask = null) {
  Object.assign(chosen, { picture, mask, pixels: null, opaque: false, box: null });
  if (!mask) at("mask").value = "";
  at("photo").hidden = true;
  if (picture && picture.size <= settings.maxUploadBytes) {
    const pixels = await createImageBitmap(picture).catch(() => null);
    if (picture !== chosen.picture) return;
    if (pixels) Object.assign(chosen, { pixels, opaque: isOpaque(pixels) });
  }
  draw();
  reconstruct();
}

function isOpaque(pixels) {
  const side = 256, canvas = new OffscreenCanvas(side, side), context = canvas.getContext("2d");
  context.drawImage(pixels, 0, 0, side, side);
  return context.getImageData(0, 0, side, side).data.every((value, i) => i % 4 !== 3 || value > 127);
}

// The picture, dimmed outside of the box.
function draw() {
  const { pixels, box } = chosen;
  at("photo").hidden = !pixels;
  if (!pixels) return;
  const canvas = at("preview"), context = canvas.getContext("2d"), asks = waits();
  const scale = Math.min(1, 1200 / Math.max(pixels.width, pixels.height));
  canvas.width = Math.max(1, Math.round(scale * pixels.width));
  canvas.height = Math.max(1, Math.round(scale * pixels.height));
  context.drawImage(pixels, 0, 0, canvas.width, canvas.height);
  if (box) {
    const [left, top, right, bottom] = box.map((value) => scale * value), rest = new Path2D();
    rest.rect(0, 0, canvas.width, canvas.height);
    rest.rect(left, top, right - left, bottom - top);
    context.fillStyle = "rgba(10, 15, 30, 0.55)";
    context.fill(rest, "evenodd");
    context.strokeStyle = "#fff";
    context.lineWidth = Math.max(1, (2 * canvas.width) / (canvas.clientWidth || canvas.width));
    context.strokeRect(left, top, right - left, bottom - top);
  }
  canvas.classList.toggle("boxed", chosen.opaque && !chosen.mask);
  canvas.classList.toggle("clear", !chosen.opaque);
  at("hint").classList.toggle("asks", asks);
  at("hint").textContent = asks ? "Draw a box around the object."
    : chosen.mask ? "Cut out by the mask." : box ? "Not cut out well? Draw another box." : "Cut out by its transparency.";
}

// Sets the box to hold two points of the picture, in pixels. A box leaves some background outside.
function setBox(one, other) {
  const { width, height } = chosen.pixels, sort = (a, b) => (a < b ? [a, b] : [b, a]);
  const inside = (value, most) => Math.min(most, Math.max(0, Math.round(value)));
  const [left, right] = sort(inside(one[0], width), inside(other[0], width));
  const [top, bottom] = sort(inside(one[1], height), inside(other[1], height));
  chosen.box = right - left < 2 || bottom - top < 2 ? null : [left, top, right, bottom];
}

const preview = at("preview");
let corner = null, moved = false;

function pointed(event) {
  return [(event.offsetX / preview.clientWidth) * chosen.pixels.width, (event.offsetY / preview.clientHeight) * chosen.pixels.height];
}

preview.onpointerdown = (event) => {
  if (!chosen.opaque || chosen.mask) return;
  preview.setPointerCapture(event.pointerId);
  corner = pointed(event);
  moved = false;
};
preview.onpointermove = (event) => {
  if (!corner) return;
  moved = true;
  setBox(corner, pointed(event));
  draw();
};
preview.onpointerup = preview.onpointercancel = () => {
  if (corner && moved) reconstruct();
  corner = null;
};
// Without a mouse: Enter draws a box, arrows move it, with Shift its lower right corner; Enter takes it.
preview.onkeydown = (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Enter: [0, 0] }[event.key];
  if (!step || !chosen.opaque || chosen.mask) return;
  event.preventDefault();
  const { width, height } = chosen.pixels, taken = event.key === "Enter" && chosen.box;
  const [left, top, right, bottom] = chosen.box || [0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height];
  const [x, y] = [(step[0] * width) / 50, (step[1] * height) / 50];
  setBox(event.shiftKey ? [left, top] : [left + x, top + y], [right + x, bottom + y]);
  draw();
  if (taken) reconstruct();
};

at("picture").onchange = () => choose(at("picture").files[0] || null);
at("mask").onchange = () => {
  chosen.mask = at("mask").files[0] || null;
  chosen.box = null;
  draw();
  reconstruct();
};

at("drop").ondragover = (event) => { event.preventDefault(); at("drop").classList.add("over"); };
at("drop").ondragleave = () => at("drop").classList.remove("over");
at("drop").ondrop = (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  at("picture").value = "";
  choose(event.dataTransfer.files[0] || null);
};

asked("settings").then((answer) => {
  settings = answer;
  at("samples").replaceChildren(...answer.samples.map((sample) => {
    const button = document.createElement("button");
    button.append(picture(sample.picture, sample.name));
    button.onclick = () => {
      const bytes = Uint8Array.from(atob(sample.picture.split(",")[1]), (c) => c.charCodeAt(0));
      at("picture").value = "";
      choose(new File([bytes], sample.name, { type: "image/png" }));
    };
    return button;
  }));
}).catch((error) => say("", error.message));
