// What stands inside a message bubble. Everything from outside is text, never markup.
import { h } from "./socket.js";

const LINK = /(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/;
const SVG = "http://www.w3.org/2000/svg";
const TICKS = {
  sending: ["M8 2.5v3.7l2.4 1.4M8 1a5 5 0 1 1 0 10A5 5 0 0 1 8 1z", "Sending"],
  sent: ["M3 6.5l3 3 6-7", "Sent"],
  delivered: ["M1 6.5l3 3 6-7M7.5 9l.5.5 6-7", "Delivered"],
  read: ["M1 6.5l3 3 6-7M7.5 9l.5.5 6-7", "Read"],
  failed: ["M8 2v5M8 9.8v.4", "Not sent"],
};

export function drawText(text) {
  const paragraph = h("p", { class: "text" });
  for (const [index, part] of text.split(LINK).entries()) {
    paragraph.append(index % 2
      ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow" }, part) : part);
  }
  return paragraph;
}

export function drawTicks(status) {
  const [path, words] = TICKS[status] || TICKS.sent;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 12");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return h("span", { class: `tick ${status}`, title: words }, svg, h("span", { class: "visually-hidden" }, words));
}

export function drawFiles(files, loaded) {
  return files.map((file) => {
    const own = file.url.startsWith("/") || file.url.startsWith("blob:");
    if (own && file.kind === "image") {
      return h("a", { class: "picture", href: file.url, target: "_blank", rel: "noopener" },
        h("img", { src: file.url, alt: file.name, onload: loaded }));
    }
    if (own && file.kind === "video") return h("video", { src: file.url, controls: true, preload: "metadata" });
    if (own && file.kind === "audio") return h("audio", { src: file.url, controls: true, preload: "metadata" });
    const ending = file.name.includes(".") ? file.name.split(".").pop().slice(0, 4) : "file";
    return h("a", { class: "document", href: file.url, target: "_blank", rel: "noopener noreferrer", download: own && file.name },
      h("span", { class: "kind" }, ending),
      h("span", {}, h("b", {}, file.name), h("small", {}, file.size ? sizeText(file.size) : "Open")));
  });
}

export function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

// Options of a poll as buttons, and a place or person as words.
export function drawOptions(message, choose) {
  const content = message.content || {};
  if (message.kind === "poll" && Array.isArray(content.options)) {
    const buttons = content.options.slice(0, 20).map((option) => h("button", {
      type: "button", "aria-pressed": "false", onclick: (event) => {
        for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
        choose(message, String(option));
      } }, String(option)));
    return [h("p", { class: "text" }, String(content.name || "")), h("div", { class: "options" }, buttons)];
  }
  if (message.kind === "location") {
    const place = [content.name, content.address].filter(Boolean).join(", ");
    return [h("p", { class: "text" }, `📍 ${place || "Location"} (${content.latitude}, ${content.longitude})`)];
  }
  return [];
}
