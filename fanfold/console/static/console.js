// What every page has: parts that stay live, uploads, and the keyboard. Only text and our own pages' HTML get in.

const said = document.getElementById("said");
export const say = (text) => { said.textContent = text; };

// ---- live parts: the server sends the HTML of what has changed, or JSON for what draws itself

let source = null;

function swap(place, html) {
  const active = document.activeElement;
  const held = place.contains(active) && active !== place ? active.getAttribute("href") || active.id : null;
  const open = [...place.querySelectorAll("details[open][id]")].map((one) => one.id);
  place.innerHTML = html;
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  if (held) {
    const again = document.getElementById(held) || [...place.querySelectorAll("a")].find((one) => one.getAttribute("href") === held);
    again?.focus({ preventScroll: true });
  }
}

function take(parts) {
  for (const [name, text] of Object.entries(parts)) {
    const place = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (!place) continue;
    if (name === "trouble") {
      place.textContent = text;
      place.hidden = !text;
    } else if (place.dataset.draws !== undefined) {
      place.dataset.state = text;
      place.dispatchEvent(new Event("state"));
    } else swap(place, text);
    if (name === "title") say(place.innerText);
  }
}

function listen() {
  const url = document.getElementById("main").dataset.live;
  if (!url || source) return;
  source = new EventSource(url);
  source.onmessage = (event) => take(JSON.parse(event.data));
}

function mute() {
  source?.close();
  source = null;
}

// A browser opens six connections to a host: pages that nobody sees give theirs back.
document.addEventListener("visibilitychange", () => (document.hidden ? mute() : listen()));
window.addEventListener("pagehide", mute);
window.addEventListener("pageshow", listen);
listen();

// ---- uploads

const drop = document.getElementById("drop");

function send(file) {
  const line = document.createElement("li");
  const name = document.createElement("span");
  const bar = document.createElement("progress");
  const state = document.createElement("span");
  name.textContent = file.name;
  bar.max = file.size || 1;
  bar.setAttribute("aria-label", `upload of ${file.name}`);
  line.append(name, bar, state);
  document.getElementById("sending").append(line);
  const given = new URLSearchParams({ name: file.name, recipe: drop.recipe.value.trim(), chunk: drop.chunk.value.trim() });
  const request = new XMLHttpRequest();
  request.open("POST", `/uploads?${given}`);
  request.upload.onprogress = (event) => { bar.value = event.loaded; };
  request.onload = () => {
    const told = JSON.parse(request.responseText);
    if (request.status === 200) {
      const link = document.createElement("a");
      link.href = `/runs/${encodeURIComponent(told.job)}`;
      link.textContent = `run ${told.job}`;
      state.replaceChildren(link);
      bar.value = bar.max;
    } else state.textContent = `${told.name}: ${told.message}`;
  };
  request.onerror = () => { state.textContent = "the upload was broken off"; };
  request.setRequestHeader("content-type", "application/octet-stream");
  request.send(file);
}

if (drop) {
  drop.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("files").addEventListener("change", (event) => {
    [...event.target.files].forEach(send);
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    [...event.dataTransfer.files].forEach(send);
  });
}

// ---- keyboard

const switchOn = document.getElementById("keys-on");
switchOn.checked = localStorage.getItem("keys") !== "off";
switchOn.addEventListener("change", () => localStorage.setItem("keys", switchOn.checked ? "on" : "off"));
document.querySelectorAll("[data-open]").forEach((one) => one.addEventListener("click", () => document.getElementById(one.dataset.open).showModal()));

let before = "";
document.addEventListener("keydown", (event) => {
  if (!switchOn.checked || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea, dialog, video")) return;
  const key = event.key;
  if (key === "/") document.querySelector("input[type=search]")?.focus();
  else if (key === "?") document.getElementById("keys").showModal();
  else if (key === "r" && before === "g") location.assign("/");
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (/^[1-9]$/.test(key)) document.querySelectorAll(".tabs a")[key - 1]?.click();
  else { before = key; return; }
  before = "";
  event.preventDefault();
});

function step(by) {
  const links = [...document.querySelectorAll("[data-row] a")].filter((one) => one === one.closest("[data-row]").querySelector("a"));
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}
