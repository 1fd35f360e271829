// Draws what would be too many elements: the grid of chunks and the chart of workers, on canvases that the keyboard reaches.
import { say } from "./console.js";

const NAMES = { p: "pending", r: "running", s: "succeeded", u: "reused", x: "repaired", f: "failed" };
const COLOURS = { p: "--idle-soft", r: "--busy", s: "--good", u: "--old", x: "--again", f: "--bad" };

function palette() {
  const style = getComputedStyle(document.documentElement);
  const found = Object.fromEntries(Object.entries(COLOURS).map(([code, name]) => [code, style.getPropertyValue(name)]));
  return { ...found, ink: style.getPropertyValue("--surface"), line: style.getPropertyValue("--strong"), text: style.getPropertyValue("--muted"), focus: style.getPropertyValue("--text") };
}

function scaled(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}

// ---- the grid: a cell a chunk, smaller the more there are

function sign(pen, code, x, y, side, colours) {
  if (side < 8 || code === "s" || code === "p") return;
  pen.strokeStyle = pen.fillStyle = colours.ink;
  pen.lineWidth = Math.max(1, side / 9);
  const low = 0.3 * side, high = 0.7 * side, half = side / 2;
  pen.beginPath();
  if (code === "f") { pen.moveTo(x + low, y + low); pen.lineTo(x + high, y + high); pen.moveTo(x + high, y + low); pen.lineTo(x + low, y + high); }
  else if (code === "x") { pen.moveTo(x + half, y + low); pen.lineTo(x + half, y + high); pen.moveTo(x + low, y + half); pen.lineTo(x + high, y + half); }
  else if (code === "u") pen.arc(x + half, y + half, side * 0.2, 0.6, 5.6);
  else if (code === "r") { pen.moveTo(x + low, y + low); pen.lineTo(x + high, y + half); pen.lineTo(x + low, y + high); pen.closePath(); pen.fill(); return; }
  pen.stroke();
}

class Cells {
  constructor(host, base) {
    this.base = base;
    this.states = "";
    this.at = -1;
    this.box = document.createElement("div");
    this.box.className = "cells";
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.tip = document.createElement("span");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.heading = document.createElement("h3");
    this.box.append(this.canvas, this.tip);
    host.append(this.heading, this.box);
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("blur", () => this.point(-1));
    this.canvas.addEventListener("mousemove", (event) => this.point(this.under(event)));
    this.canvas.addEventListener("mouseleave", () => this.point(-1));
    this.canvas.addEventListener("click", (event) => this.open(this.under(event)));
  }

  take({ name, ids, states }, number, rounds) {
    this.heading.textContent = rounds > 1 ? `Round ${number + 1}: ${name}` : "";
    this.heading.hidden = rounds < 2;
    this.prefix = (ids[0] || "").replace(/\d+$/, "");
    this.digits = (ids[0] || "").length - this.prefix.length;
    this.first = parseInt((ids[0] || "0").slice(this.prefix.length), 10);
    const counts = {};
    for (const code of states) counts[code] = (counts[code] || 0) + 1;
    const words = Object.entries(counts).map(([code, count]) => `${count} ${NAMES[code]}`).join(", ");
    this.box.setAttribute("aria-label", `${states.length} chunks: ${words}. Arrow keys move, Enter opens.`);
    if (states === this.states) return;
    this.states = states;
    this.draw();
  }

  id(at) { return this.prefix + String(this.first + at).padStart(this.digits, "0"); }

  draw() {
    const width = this.box.clientWidth;
    if (!width) return;
    const count = this.states.length;
    this.step = count <= 300 ? 20 : count <= 1500 ? 14 : count <= 6000 ? 9 : 6;
    this.columns = Math.max(1, Math.floor(width / this.step));
    const side = this.step - (this.step > 8 ? 2 : 1);
    const pen = scaled(this.canvas, width, Math.ceil(count / this.columns) * this.step);
    const colours = palette();
    for (let at = 0; at < count; at++) {
      const code = this.states[at];
      const x = (at % this.columns) * this.step, y = Math.floor(at / this.columns) * this.step;
      pen.fillStyle = colours[code];
      if (side >= 12) { pen.beginPath(); pen.roundRect(x, y, side, side, 3); pen.fill(); } else pen.fillRect(x, y, side, side);
      sign(pen, code, x, y, side, colours);
    }
    if (this.at >= 0) {
      pen.strokeStyle = colours.focus;
      pen.lineWidth = 2;
      pen.strokeRect((this.at % this.columns) * this.step, Math.floor(this.at / this.columns) * this.step, side, side);
    }
    this.box.dataset.drawn = count;
  }

  under(event) {
    const at = Math.floor(event.offsetY / this.step) * this.columns + Math.floor(event.offsetX / this.step);
    return event.offsetX < this.columns * this.step && at < this.states.length ? at : -1;
  }

  point(at) {
    if (at === this.at) return;
    this.at = at;
    this.tip.hidden = at < 0;
    this.canvas.style.cursor = at < 0 ? "default" : "pointer";
    if (at >= 0) {
      this.tip.textContent = `${this.id(at)} ${NAMES[this.states[at]]}`;
      const room = this.tip.offsetWidth / 2;
      const x = ((at % this.columns) + 0.5) * this.step;
      this.tip.style.left = `${Math.min(Math.max(x, room), this.box.clientWidth - room)}px`;
      this.tip.style.top = `${Math.floor(at / this.columns) * this.step}px`;
    }
    this.draw();
  }

  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, Home: -Infinity, End: Infinity }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      this.point(Math.min(this.states.length - 1, Math.max(0, this.at < 0 ? 0 : this.at + by)));
      say(`chunk ${this.id(this.at)}, ${NAMES[this.states[this.at]]}`);
    } else if (event.key === "Enter") this.open(this.at);
  }

  open(at) { if (at >= 0) location.assign(this.base + this.id(at)); }
}

function grid(host) {
  const rounds = [];
  const take = () => {
    const told = JSON.parse(host.dataset.state).rounds;
    told.forEach((round, number) => {
      if (!round.states) return;
      rounds[number] ||= new Cells(host, host.dataset.base);
      rounds[number].take(round, number, told.length);
    });
    performance.mark("grid-drawn");
  };
  host.addEventListener("state", take);
  return { take, draw: () => rounds.forEach((one) => one?.draw()) };
}

// ---- workers: a lane for each that ran at once, a bar for each chunk

function gantt(host) {
  const box = document.createElement("div");
  box.className = "cells";
  box.tabIndex = 0;
  box.setAttribute("role", "img");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  box.append(canvas);
  host.append(box);
  const draw = () => {
    const { bars, lanes, span } = JSON.parse(host.dataset.state);
    const slowest = bars.reduce((most, [, start, end]) => Math.max(most, end - start), 0);
    box.setAttribute("aria-label", bars.length ? `${bars.length} chunks by up to ${lanes} workers in ${(span / 1000).toFixed(1)} s; the longest took ${(slowest / 1000).toFixed(1)} s` : "no chunk has begun");
    const width = box.clientWidth, axis = 22;
    if (!width) return;
    const row = lanes > 120 ? 3 : lanes > 40 ? 6 : lanes > 12 ? 12 : 18;
    const pen = scaled(canvas, width, lanes * row + axis);
    const colours = palette();
    const scale = width / Math.max(1, span);
    for (const [lane, start, end, code] of bars) {
      pen.fillStyle = code === "p" ? colours.line : colours[code];
      const long = Math.max(1, (end - start) * scale - (row > 6 ? 1 : 0));
      pen.fillRect(start * scale, lane * row, long, row - (row > 4 ? 2 : 1));
      if (row >= 12 && long > 12) sign(pen, code, start * scale, lane * row, row - 2, colours);
    }
    pen.fillStyle = colours.text;
    pen.font = "11px system-ui, sans-serif";
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
    const every = 1000 * (steps.find((one) => (span / 1000 / one) <= width / 90) || 7200);
    for (let at = 0; at <= span; at += every) {
      pen.fillRect(at * scale, lanes * row + 2, 1, 4);
      pen.fillText(`${+(at / 1000).toFixed(1)} s`, Math.min(at * scale + 3, width - 36), lanes * row + 15);
    }
  };
  host.addEventListener("state", draw);
  return { take: draw, draw };
}

const KINDS = { grid, gantt };
const drawn = [...document.querySelectorAll("[data-draws]")].map((host) => KINDS[host.dataset.draws](host));
drawn.forEach((one) => one.take());
const again = () => drawn.forEach((one) => one.draw());
new ResizeObserver(again).observe(document.getElementById("main"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
