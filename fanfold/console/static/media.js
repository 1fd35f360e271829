// Pictures that are looked into, and films: OpenSeadragon and hls.js, loaded only where there is something for them.

const load = (name) => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = `/static/${name}`;
  script.onload = resolve;
  script.onerror = reject;
  document.head.append(script);
});

// ---- deep zoom (https://openseadragon.github.io)

const frames = [...document.querySelectorAll("[data-zoom]")];
if (frames.length) {
  await load("openseadragon.min.js");
  for (const frame of frames) {
    const viewer = window.OpenSeadragon({
      element: frame,
      tileSources: frame.dataset.zoom,
      drawer: "canvas",
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "BOTTOM_RIGHT",
      maxZoomPixelRatio: 4,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.6,
      crossOriginPolicy: false,
    });
    const card = frame.parentElement;
    card.querySelectorAll("[data-zoom-by]").forEach((button) => button.addEventListener("click", () => viewer.viewport.zoomBy(Number(button.dataset.zoomBy))));
    card.querySelector("[data-zoom-home]").addEventListener("click", () => viewer.viewport.goHome());
    viewer.addHandler("tile-drawn", () => { frame.dataset.tiles = "drawn"; });
  }
}

// ---- films (https://github.com/video-dev/hls.js)

const streams = [...document.querySelectorAll("video[data-stream]")];
for (const video of streams) {
  if (!window.Hls) await load("hls.min.js");
  if (window.Hls.isSupported()) {
    const player = new window.Hls({ enableWorker: false });
    player.on(window.Hls.Events.ERROR, (_, told) => { if (told.fatal) video.dataset.failed = told.details; });
    player.loadSource(video.dataset.stream);
    player.attachMedia(video);
  } else video.src = video.dataset.stream;
}

for (const player of document.querySelectorAll(".player")) {
  const video = player.querySelector("video");
  player.addEventListener("click", (event) => {
    const to = event.target.closest("[data-seek]");
    if (to) { video.currentTime = Number(to.dataset.seek); video.focus(); }
  });
  for (const poster of player.querySelectorAll("[data-sheet]")) {
    const [x, y, width, height] = poster.dataset.rectangle.split(",").map(Number);
    const scale = 68 / (height || 68);
    poster.style.width = `${width * scale}px`;
    const sheet = new Image();
    sheet.onload = () => {
      poster.style.backgroundImage = `url("${poster.dataset.sheet}")`;
      poster.style.backgroundSize = `${sheet.naturalWidth * scale}px ${sheet.naturalHeight * scale}px`;
      poster.style.backgroundPosition = `${-x * scale}px ${-y * scale}px`;
    };
    sheet.src = poster.dataset.sheet;
  }
  player.querySelector("[data-search-said]")?.addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const line of player.querySelectorAll(".said-list li")) line.hidden = !line.textContent.toLowerCase().includes(wanted);
  });
}
