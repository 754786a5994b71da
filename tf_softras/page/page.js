"use strict";
// The page: sends a picture, and shows what comes back. Files are kept in the page; the server keeps nothing.

const at = (id) => document.getElementById(id);
const chosen = { picture: null, mask: null };
let settings = { samples: [], maxUploadBytes: Infinity };
let viewer = null;
let request = null;

const MEDIA_TYPES = { glb: "model/gltf-binary", obj: "model/obj", mtl: "model/mtl" };

function say(status, error = "") {
  at("status").textContent = status;
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

async function reconstruct() {
  if (!chosen.picture) return;
  if (request) request.abort();
  const mine = (request = new AbortController());
  say("Working ...");
  at("result").hidden = true;
  try {
    for (const file of [chosen.picture, chosen.mask])
      if (file && file.size > settings.maxUploadBytes)
        throw new Error(`${file.name} is too large: expected at most ${settings.maxUploadBytes} bytes; received ${file.size}.`);
    const body = { picture: await encoded(chosen.picture), mask: chosen.mask && (await encoded(chosen.mask)) };
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

function show({ cutOut, silhouettes, files, scene }) {
  at("result").hidden = false;
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
  viewer = viewer || new MeshViewer(document.querySelector("canvas"));
  viewer.show(scene).catch((error) => say("", error.message));
}

for (const name of ["picture", "mask"])
  at(name).onchange = () => {
    chosen[name] = at(name).files[0] || null;
    reconstruct();
  };

at("drop").ondragover = (event) => { event.preventDefault(); at("drop").classList.add("over"); };
at("drop").ondragleave = () => at("drop").classList.remove("over");
at("drop").ondrop = (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  chosen.picture = event.dataTransfer.files[0] || null;
  reconstruct();
};

asked("settings").then((answer) => {
  settings = answer;
  at("samples").replaceChildren(...answer.samples.map((sample) => {
    const button = document.createElement("button");
    button.append(picture(sample.picture, sample.name));
    button.onclick = () => {
      const bytes = Uint8Array.from(atob(sample.picture.split(",")[1]), (c) => c.charCodeAt(0));
      chosen.picture = new File([bytes], sample.name, { type: "image/png" });
      chosen.mask = null;
      at("picture").value = at("mask").value = "";
      reconstruct();
    };
    return button;
  }));
}).catch((error) => say("", error.message));
