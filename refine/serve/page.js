"use strict";
// The review page: one row at a time, by keyboard. Everything typed goes to the server at once;
// what it has not confirmed is asked again until it has, and the tab warns before it closes.

const FIELDS = ["verdict", "correction", "error_type", "all_copies", "note"];
const SAVE_AFTER_MS = 300, RETRY_MS = 1500;
const at = (id) => document.getElementById(id);

let batch = null, here = 0, picking = false;
const waiting = new Map(); // row id -> the entry that the server has not confirmed
let sending = null, timer = 0;

history.replaceState(null, "", "/"); // the token leaves the address bar
start();

async function start() {
  const answer = await fetch("/batch");
  if (!answer.ok) return problem((await answer.json()).problem);
  batch = await answer.json();
  for (const [number, name] of batch.error_types.entries()) {
    const chip = document.createElement("span");
    const key = document.createElement("b");
    key.textContent = letter(number).toUpperCase();
    chip.append(key, name.replace("_", " "));
    chip.setAttribute("role", "option");
    chip.addEventListener("click", () => pick(number));
    at("error-types").append(chip);
  }
  const open = batch.rows.findIndex(undecided);
  show(open < 0 ? 0 : open);
  document.body.dataset.ready = "yes";
}

function row() { return batch.rows[here]; }
function undecided(one) { return !one.verdict && !one.elsewhere; }
function letter(number) { return String.fromCharCode(97 + number); }

function show(number) {
  here = number;
  picking = false;
  const one = row();
  at("english").textContent = one.english;
  at("translation").textContent = one.translation;
  at("previous").textContent = one.previous;
  at("previous-box").hidden = !one.previous;
  at("reasons").textContent = one.reasons;
  at("correction").value = one.correction;
  at("note").value = one.note;
  at("no-image").textContent = one.image ? "" : "no picture";
  at("image").hidden = !one.image;
  if (one.image) at("image").src = `/image/${here}`; else at("image").removeAttribute("src");
  problem("");
  document.querySelector("main").scrollTop = 0;
  refresh();
}

function refresh() {
  const one = row();
  const decided = batch.rows.filter((each) => !undecided(each)).length;
  at("place").textContent = `${here + 1} / ${batch.rows.length}`;
  at("progress").max = batch.rows.length;
  at("progress").value = decided;
  at("decided").textContent =
    decided === batch.rows.length ? "all decided" : `${decided} of ${batch.rows.length} decided`;
  at("verdict").textContent = one.verdict || "undecided";
  at("verdict").className = `badge ${one.verdict}`;
  at("elsewhere").textContent = one.elsewhere ? `in the exported file: ${one.elsewhere}` : "";
  at("copies").textContent = one.all_copies ? "C: for all copies" : "C: this turn only";
  at("copies").className = one.all_copies ? "badge on" : "badge";
  at("error-types").classList.toggle("active", picking);
  [...at("error-types").children].forEach((chip, number) => {
    const chosen = batch.error_types[number] === one.error_type;
    chip.classList.toggle("chosen", chosen);
    chip.setAttribute("aria-selected", String(chosen));
  });
}

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

at("image").addEventListener("error", () => {
  at("image").hidden = true;
  at("no-image").textContent = `picture not found: ${row().image}`;
});

// ---- saving

function keep(one) {
  waiting.set(one.id, entryOf(one));
  at("saved").textContent = "saving…";
}

function entryOf(one) { return Object.fromEntries(FIELDS.map((name) => [name, one[name]])); }

// Sends what waits, one request after the other, and resolves once nothing waits any more.
function flush() {
  clearTimeout(timer);
  if (!sending) sending = sendAll().finally(() => { sending = null; });
  return sending;
}

async function sendAll() {
  while (waiting.size) {
    const [id, entry] = waiting.entries().next().value;
    let answer, said;
    try {
      answer = await fetch("/save", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id, ...entry }),
      });
      said = await answer.json();
    } catch {
      answer = null;
    }
    if (!answer || ![200, 400, 413, 422].includes(answer.status)) {
      at("saved").textContent = "not saved";
      at("saved").className = "quiet late";
      problem(said && answer ? said.problem : "Not saved: the server does not answer. Your text is kept in this tab and sent again; start palo review serve anew and copy it if this stays.");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      continue;
    }
    at("saved").className = "quiet";
    if (waiting.get(id) === entry) waiting.delete(id);
    if (!answer.ok) { at("saved").textContent = ""; if (row().id === id) problem(said.problem); continue; }
    at("saved").textContent = "saved";
    if (row().id === id) problem("");
  }
}

function typed(name) {
  return () => {
    row()[name] = at(name).value;
    keep(row());
    clearTimeout(timer);
    timer = setTimeout(flush, SAVE_AFTER_MS);
  };
}
at("correction").addEventListener("input", typed("correction"));
at("note").addEventListener("input", typed("note"));
addEventListener("beforeunload", (event) => { if (waiting.size) { flush(); event.preventDefault(); } });

// ---- decisions

let deciding = false;
async function decide(verdict) {
  if (deciding) return; // a held key decides one row, not many
  deciding = true;
  try { await decideHere(verdict); } finally { deciding = false; }
}

async function decideHere(verdict) {
  const one = row(), before = one.verdict;
  await flush();
  one.verdict = verdict;
  const entry = entryOf(one);
  at("saved").textContent = "saving…";
  let answer, said;
  try {
    answer = await fetch("/save", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id: one.id, ...entry }),
    });
    said = await answer.json();
  } catch {
    said = { problem: "Not saved: the server does not answer. Start palo review serve again." };
  }
  if (!answer || !answer.ok) {
    one.verdict = before;
    at("saved").textContent = "not saved";
    refresh();
    return problem(said.problem);
  }
  Object.assign(one, said.entry);
  at("saved").textContent = "saved";
  refresh();
  if (verdict) { document.activeElement.blur(); nextUndecided(); }
}

function nextUndecided() {
  const count = batch.rows.length;
  for (let step = 1; step <= count; step++) {
    const number = (here + step) % count;
    if (undecided(batch.rows[number])) return go(number);
  }
  refresh();
  problem("");
}

function go(number) {
  if (number < 0 || number >= batch.rows.length) return;
  if (waiting.size) flush();
  show(number);
}

function pick(number) {
  const name = batch.error_types[number];
  row().error_type = row().error_type === name ? "" : name;
  picking = false;
  keep(row());
  flush();
  refresh();
}

function fix() {
  const box = at("correction");
  if (!box.value) box.value = row().translation; // not kept until it is edited
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
}

function saveFix() {
  row().correction = at("correction").value;
  decide("fix");
}

// ---- keys: by letter, or by place on the keyboard where the layout is not Latin

function keyOf(event) {
  if (/^[a-z]$/i.test(event.key) || event.key.length > 1) return event.key.toLowerCase();
  return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key;
}

const KEYS = {
  a: () => decide("accept"),
  r: () => decide("reject"),
  x: () => decide(""),
  f: fix,
  j: () => go(here + 1), arrowright: () => go(here + 1), arrowdown: () => go(here + 1),
  k: () => go(here - 1), arrowleft: () => go(here - 1), arrowup: () => go(here - 1),
  u: nextUndecided,
  e: () => { picking = true; refresh(); },
  n: () => at("note").focus(),
  c: () => { row().all_copies = row().all_copies ? "" : "yes"; keep(row()); flush(); refresh(); },
};

addEventListener("keydown", (event) => {
  if (!batch || event.isComposing) return;
  const key = keyOf(event), box = event.target.tagName === "TEXTAREA" ? event.target : null;
  if (box) {
    if (key === "escape") { flush(); box.blur(); event.preventDefault(); }
    if (key === "enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (box.id === "correction") saveFix(); else { flush(); box.blur(); }
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (picking) {
    event.preventDefault();
    const number = key.length === 1 ? key.charCodeAt(0) - 97 : -1;
    if (number >= 0 && number < batch.error_types.length) return pick(number);
    picking = false;
    return refresh();
  }
  if (KEYS[key]) { event.preventDefault(); if (!event.repeat || key.startsWith("arrow")) KEYS[key](); }
});
