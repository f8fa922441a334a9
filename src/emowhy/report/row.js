"use strict";

// One row as elements. Words of a row only ever become text nodes: nothing here, and nothing after it, writes markup.

const rows = JSON.parse(document.getElementById("row-data").textContent);
const labels = new Map(
  JSON.parse(document.getElementById("label-data").textContent).map(([label, branch, word]) => [label, { branch, word }]),
);
const said = JSON.parse(document.getElementById("said-data").textContent);

const NONE = "(none)";

/** An element with attributes (null and false are left out) and children: elements, words, lists of them, nothing. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const branchOf = (label) => labels.get(label)?.branch ?? "other";

/** The word by which labels are compared. */
const wordOf = (label) => labels.get(label)?.word ?? label.toLowerCase().trim();

const chip = (label, missed = false) =>
  make("b", { class: `label ${branchOf(label)}${missed ? " missed" : ""}`, dir: "auto" }, label);

const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;

const place = (where) => (where === null || where === undefined ? null : make("small", {}, ` ${typeof where === "number" ? `turn ${where}` : where}`));

const inWords = (words, attributes = {}) => make("p", { dir: "auto", ...attributes }, words);

const titled = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);

/** What a system named: status or labels with their scores, and whether that is right. */
function verdict(answer) {
  const emotions = answer.emotions ?? [];
  const parts = emotions.map(([label, score]) => [
    chip(label),
    score === null ? null : make("span", { class: "score" }, score.toFixed(2)),
  ]);
  if (answer.status) parts.push(make("span", { class: "status" }, answer.status));
  else if (!emotions.length) parts.push(make("small", {}, "no emotion named"));
  if (answer.right === true) parts.push(make("span", { class: "verdict good" }, "✓ right"));
  if (answer.right === false) parts.push(make("span", { class: "verdict bad" }, "✗ wrong"));
  return parts;
}

/** The gold labels; those that were not predicted are drawn hollow. */
function goldLabels(row) {
  const gold = row.gold?.emotions;
  if (!gold) return null;
  const predicted = new Set((row.emotions ?? []).map(([label]) => wordOf(label)));
  return [
    make("small", {}, "gold"),
    gold.length ? gold.map((label) => chip(label, !predicted.has(wordOf(label)))) : make("small", {}, "none of the labels"),
  ];
}

function head(row, number) {
  const link = make("a", { class: "id", href: `#row-${number}`, dir: "auto" }, row.id);
  if (!row.other) {
    return make("header", {}, make("div", { class: "said" }, verdict(row), goldLabels(row), row.arm ? make("small", {}, row.arm) : null), link);
  }
  const both = [[row.arm || said.arm || "this", row], [row.other.name, row.other]];
  const against = both.map(([name, answer]) => [make("small", { dir: "auto" }, name), make("div", { class: "said" }, verdict(answer))]);
  const gold = goldLabels(row);
  return make(
    "header", {},
    make("div", { class: "against" }, against, gold ? [gold[0], make("div", { class: "said" }, gold.slice(1))] : null),
    link,
  );
}

/** A marked text: every second piece is a quote. */
const marked = (pieces) => pieces.map((words, i) => (i % 2 ? make("mark", {}, words) : words));

/** The turns and observations; of a closed row the target and what holds a mark. */
function lineList(row, open) {
  const all = row.lines ?? [];
  const alone = all.length === 1 && all[0][2] && all[0][1] === null;
  const shown = all.filter(([, , target, pieces]) => open || target || pieces?.length > 1);
  const list = make("dl", { class: `lines${alone ? " alone" : ""}` });
  for (const [number, name, target, pieces] of shown.length ? shown : all) {
    const who = number === null ? name : [number, name].filter((part) => part !== null).join(" · ");
    const words = pieces === null
      ? make("dd", { class: "none" }, "missing")
      : make("dd", { dir: "auto" }, marked(pieces));
    list.append(make("div", { class: target ? "target" : null }, make("dt", { dir: "auto" }, who), words));
  }
  if (row.explanation) list.append(make("div", { class: "why" }, make("dt", {}, "why"), make("dd", { dir: "auto" }, row.explanation)));
  return list;
}

const quotes = (causes) => make("ul", {}, (causes ?? []).map(([quote, where, verbatim]) => make(
  "li", { class: verbatim === 0 ? "bad" : null },
  make("q", { dir: "auto" }, quote), place(where), verbatim === 0 ? make("small", { class: "bad" }, " not verbatim") : null,
)));

const pairs = (values) => Object.entries(values ?? {}).map(([name, value]) => make("p", { dir: "auto" }, make("small", {}, `${name} `), String(value)));

/** Labels with their probabilities as bars. */
function chances(emotions) {
  const grid = make("div", { class: "chances" });
  for (const [label, score, chosen] of emotions) {
    const bar = make("div", {}, make("i", { class: branchOf(label) }));
    if (score === null) bar.hidden = true;
    else bar.firstChild.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
    grid.append(make("span", { class: chosen ? "chosen" : null, dir: "auto" }, label), bar, make("small", {}, score === null ? "" : score.toFixed(2)));
  }
  return grid;
}

function answerPanel(answer, title, ...more) {
  const cost = [
    answer.source ? `probability by the ${answer.source}` : null,
    answer.tokens ? `${count(answer.tokens[0], "token")} read, ${answer.tokens[1].toLocaleString("en-GB")} written` : null,
    answer.seconds ? `${answer.seconds.toFixed(2)} s` : null,
  ].filter(Boolean).join(" · ");
  return titled(
    title,
    chances((answer.emotions ?? []).map(([label, score]) => [label, score, true])),
    quotes(answer.causes),
    pairs(answer.answers),
    pairs(answer.scores),
    more,
    cost ? make("p", {}, make("small", {}, cost)) : null,
  );
}

/** What the specialists noticed: the labels they weighed (in bold above the threshold), then everything else. */
function cluePanel(clues) {
  const weighed = clues.filter(([kind, label]) => kind === "emotion" && label !== null);
  const others = clues.filter((clue) => !weighed.includes(clue));
  const sources = [...new Set(clues.map((clue) => clue[7]).filter(Boolean))].join(", ");
  return titled(
    `Specialists${sources ? `: ${sources}` : ""}`,
    chances(weighed.map(([, label, , , , score, chosen]) => [label, score, chosen])),
    make("ul", {}, others.map(([kind, label, quote, where, value, score, chosen]) => make(
      "li", {}, make(chosen ? "b" : "span", {}, kind), " ", label, " ", value === null ? null : String(value),
      quote === null ? null : make("q", { dir: "auto" }, quote), place(where), score === null ? null : make("small", {}, ` ${score.toFixed(2)}`),
    ))),
  );
}

function goldPanel(row) {
  const gold = row.gold;
  return titled(
    "Gold",
    gold.emotions ? make("p", {}, goldLabels(row).slice(1).flat().flatMap((part) => [part, " "])) : null,
    quotes(gold.causes),
    gold.explanation ? inWords(gold.explanation, { class: "long" }) : null,
    pairs(gold.answers),
  );
}

function replies(steps) {
  return make(
    "details", {}, make("summary", {}, steps.length === 1 ? "Raw reply" : `Raw replies (${steps.length})`),
    steps.map(([name, finish, read, written, raw, thinking]) => [
      make("p", {}, make("small", {}, [name, finish, read === null ? null : `${count(read, "token")} read`, written === null ? null : `${written} written`].filter(Boolean).join(" · "))),
      thinking ? make("pre", { dir: "auto" }, thinking) : null,
      make("pre", { dir: "auto" }, raw),
    ]),
  );
}

/** All that is known of a row, below its head. */
function body(row) {
  const main = row.other ? row.arm || said.arm || "This" : "Answer";
  return [
    row.question ? make("p", { dir: "auto" }, make("small", {}, "Question "), row.question) : null,
    row.choices ? make("p", { dir: "auto" }, make("small", {}, "Choices "), row.choices.map((choice, i) => `${i}: ${choice}`).join(" / ")) : null,
    make(
      "div", { class: "panels" },
      answerPanel(row, main),
      row.other ? otherPanel(row.other) : null,
      row.clues ? cluePanel(row.clues) : null,
      row.gold ? goldPanel(row) : null,
      row.extra ? titled("Other columns", pairs(row.extra)) : null,
    ),
    row.reasoning ? reasoning(row.reasoning, true) : null,
    row.steps ? replies(row.steps) : null,
    row.short ? make("p", {}, make("small", {}, "Long texts of this row are shortened on this page.")) : null,
  ];
}

/** The other system's answer, with what stands outside the panels for the row's own. */
function otherPanel(other) {
  return answerPanel(
    other, other.name,
    other.error ? inWords(other.error, { class: "bad long" }) : null,
    other.explanation ? inWords(other.explanation, { class: "long" }) : null,
    other.notes ? make("p", {}, make("small", { dir: "auto" }, other.notes.join("; "))) : null,
    other.reasoning ? reasoning(other.reasoning, false) : null,
    other.steps ? replies(other.steps) : null,
  );
}

const reasoning = (words, open) => make("details", { open: open && "" }, make("summary", {}, "Reasoning"), inWords(words, { class: "long" }));

/** What a closed row does not show, so that a reader knows what opening it brings. */
function hidden(row) {
  const lines = (row.lines ?? []).filter(([, , target, pieces]) => !target && !(pieces?.length > 1)).length;
  return [
    lines ? count(lines, "more line") : null,
    row.clues ? count(row.clues.length, "clue") : null,
    row.reasoning ? "reasoning" : null,
    row.steps ? count(row.steps.length, "raw reply", "raw replies") : null,
  ].filter(Boolean).join(" · ");
}

/** The row as an article; `number` is its place among all rows of the page. */
function article(row, number, open) {
  const unverified = (row.causes ?? []).filter(([, , verbatim]) => !verbatim).length;
  const kind = row.emotions?.length ? branchOf(row.emotions[0][0]) : "other";
  const element = make(
    "article", { id: `row-${number}`, class: `${kind}${row.status ? " failed" : ""}`, tabindex: "-1", "aria-label": `Row ${row.id}` },
    head(row, number),
    row.error ? inWords(row.error, { class: "bad long" }) : null,
    lineList(row, open),
    unverified ? make("p", {}, make("small", { class: "bad" }, `${count(unverified, "quote")} not verbatim in the input`)) : null,
    row.notes?.length ? make("p", {}, make("small", { dir: "auto" }, row.notes.join("; "))) : null,
    open ? body(row) : null,
    make("p", { class: "more" }, make("button", { type: "button", "aria-expanded": String(open), "data-toggle": "" }, open ? "Close" : "Open"), open ? null : hidden(row)),
  );
  return element;
}
