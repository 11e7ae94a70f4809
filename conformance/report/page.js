"use strict";
const search = document.getElementById("search");
const boxes = [...document.querySelectorAll("input[name=verdict]")];
const items = [...document.querySelectorAll("details[data-verdict]")];
const shown = document.getElementById("shown");
const texts = new Map(items.map((one) => [one, one.textContent.toLowerCase()]));

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = new Set(boxes.filter((one) => one.checked).map((one) => one.value));
  let count = 0;
  for (const one of items) {
    const text = texts.get(one);
    one.hidden = !wanted.has(one.dataset.verdict) || !words.every((word) => text.includes(word));
    count += one.hidden ? 0 : 1;
  }
  for (const group of document.querySelectorAll("section.group")) {
    group.hidden = !group.querySelector("details:not([hidden])");
  }
  shown.textContent = `${count} / ${items.length}`;
}

function speak(language) {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("button[data-language]")) {
    one.setAttribute("aria-pressed", String(one.dataset.language === language));
  }
}

function open(hash) {
  const target = hash && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (!target) return;
  target.hidden = false;
  if (target.tagName === "DETAILS") target.open = true;
}

search.addEventListener("input", filter);
for (const one of boxes) one.addEventListener("change", filter);
for (const one of document.querySelectorAll("button[data-language]")) {
  one.addEventListener("click", () => speak(one.dataset.language));
}
window.addEventListener("hashchange", () => open(location.hash));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && document.activeElement === search) {
    search.value = "";
    filter();
  }
});
speak(document.documentElement.lang);
filter();
open(location.hash);
