"use strict";
// Asks the kit every second what there is to show. Whatever a client sent is put in as text, never as markup.
const one = (selector, place = document) => place.querySelector(selector);
let language = navigator.language.startsWith("en") ? "en" : "fr";
let shown = "";
let current = null;

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function showStep(step, words) {
  one("#step").hidden = step === null;
  one("#end").hidden = step !== null;
  if (step === null) { current = null; return; }
  if (current !== step.key) {
    for (const input of document.querySelectorAll("input[name=answer]")) input.checked = false;
    one(".problem").textContent = "";
    current = step.key;
  }
  one(".where").textContent = `${step.number} / ${step.count} · ${step.key}`;
  one(".step-title").textContent = step.title;
  for (const name of ["do", "then", "patient", "doctor"]) one(`#step .${name}`).textContent = step[name];
  const items = step.expects.map((expected) => element("li",
    `${expected.transaction} : ${expected.arrived ? words.arrived : words.waiting}`, expected.arrived ? "arrived" : "waiting"));
  one(".expects").replaceChildren(...(items.length ? items : [element("li", words.nothing)]));
  one(".question").hidden = step.question === "";
  one(".question legend").textContent = step.question;
  one("#next").disabled = !step.ready;
}

function message(told, opened) {
  const item = element("li", "", "message");
  const count = told.problems.length;
  item.append(element("span", `${told.time} · ${told.id} `, "time"), element("strong", told.transaction),
    element("span", ` ${told.outcome} — `),
    element("span", told.verdict, count ? "failed" : "passed"));
  for (const problem of told.problems) {
    const detail = element("details");
    detail.dataset.key = `${told.id} ${problem.requirement} ${problem.text} ${problem.location}`;
    detail.open = opened.has(detail.dataset.key);
    detail.append(element("summary", `${problem.requirement} : ${problem.text}`), element("p", problem.rule));
    if (problem.location) detail.append(element("p", problem.location, "time"));
    if (problem.evidence) detail.append(element("pre", problem.evidence));
    item.append(detail);
  }
  return item;
}

function show(state) {
  document.documentElement.lang = state.language;
  document.title = state.words.title;
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = state.words[place.dataset.word];
  one("#setup").hidden = state.setup.length === 0;
  one("#setup dl").replaceChildren(...state.setup.flatMap((told) => [element("dt", told.name), element("dd", told.value)]));
  showStep(state.step, state.words);
  one("#trouble").hidden = state.troubles.length === 0;
  one("#trouble ul").replaceChildren(...state.troubles.map((told) => element("li", told)));
  one("#messages .nothing").hidden = state.messages.length > 0;
  const opened = new Set([...document.querySelectorAll("#messages details[open]")].map((detail) => detail.dataset.key));
  one("#messages ol").replaceChildren(...state.messages.map((told) => message(told, opened)));
  one("#steps ol").replaceChildren(...state.steps.map((step) => element("li", step.title, step.state)));
}

async function refresh() {
  try {
    const text = await (await fetch(`state?language=${language}`)).text();
    one("#lost").hidden = true;
    if (text !== shown) { shown = text; show(JSON.parse(text)); }
  } catch (problem) { one("#lost").hidden = !one("#end").hidden; }  // after the last step the kit stops
}

async function decide(path) {
  const chosen = one("input[name=answer]:checked");
  const body = JSON.stringify({ step: current, answer: chosen === null ? null : chosen.value === "yes" });
  const answer = await fetch(path, { method: "POST", headers: { "X-Certification": "1" }, body });
  one(".problem").textContent = answer.ok ? "" : (await answer.json())[language];
  await refresh();
}

one("#next").addEventListener("click", () => decide("confirm"));
one("#skip").addEventListener("click", () => decide("skip"));
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => { language = button.dataset.language; shown = ""; refresh(); });
}
refresh();
setInterval(refresh, 1000);
