// The table of records: searched, filtered, sorted and shown one page at a time.

const page_rows = 50;
const kinds = {
    unscored: "unscored", forced: "forced", inconsistent: "orders disagree", differs: "label differs",
    judges_differ: "files differ", warned: "with warnings",
};
const columns = [
    { key: "id", title: "Record", class: "id" },
    { key: "verdict", title: "Verdict" },
    { key: "expected", title: "Expected", class: "number minor" },
    { key: "calibrated", title: "Calibrated", class: "number minor" },
    { key: "scale", title: "On the scale" },
    { key: "other_verdict", title: "Second file" },
    { key: "label", title: "Label" },
    { key: "confidence", title: "Confidence", class: "number minor" },
    { key: "group", title: "Group", class: "minor" },
    { key: "ms", title: "ms", class: "number minor" },
    { key: "preview", title: "Feedback", class: "text minor" },
];

function read_rows() {
    const { fields, rows } = JSON.parse(document.getElementById("rows").textContent);
    return rows.map((row, index) => {
        const record = { index };
        row.forEach((value, i) => (record[fields[i]] = value));
        record.kinds ??= [];
        record.other_verdict = record.other?.verdict;
        record.preview = record.feedback?.[0]?.text || record.error || "";
        return record;
    });
}

// Everything of a record that a search looks at, in lower case; made on the first search.
function haystack(record) {
    record.haystack ??= [record.id, record.group, record.error, record.reason, record.instruction, record.reference,
        ...(record.names ?? []), ...(record.responses ?? []), ...(record.warnings ?? []),
        ...[...(record.feedback ?? []), ...(record.other?.feedback ?? [])].map(feedback => feedback.text)].join("\n").toLowerCase();
    return record.haystack;
}

const level = value => (typeof value === "number" ? String(Math.round(value)) : value ?? "none");

function selected(rows, state) {
    const words = (state.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const tests = [
        state.verdict && (record => (record.verdict ?? "none") === state.verdict),
        state.other && (record => (record.other_verdict ?? "none") === state.other),
        state.label && (record => level(record.label) === state.label),
        state.group && (record => (record.group ?? "none") === state.group),
        state.kind && (record => record.kinds.includes(state.kind)),
        words.length && (record => words.every(word => haystack(record).includes(word))),
    ].filter(Boolean);
    const found = rows.filter(record => tests.every(test => test(record)));
    if (!state.sort) return found;
    const down = state.sort.startsWith("-"), key = state.sort.replace(/^-/, "");
    const absent = value => value === undefined || value === null || value === "";
    const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
    return found.sort((left, right) => {
        const a = left[key], b = right[key];
        if (absent(a) || absent(b)) return absent(a) - absent(b) || left.index - right.index;  // what is absent comes last
        return (down ? order(b, a) : order(a, b)) || left.index - right.index;
    });
}

// A text with the searched words marked.
function marked(text, words) {
    if (!words.length) return text;
    const escaped = words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return String(text).split(new RegExp(`(${escaped.join("|")})`, "gi")).map((part, i) => (i % 2 ? h("mark", {}, part) : part));
}

function probabilities(record) {
    const symbols = record.probs?.length === 2 ? ["A", "B"] : ["1", "2", "3", "4", "5"];
    if (!record.probs) return null;
    return svg("svg", { viewBox: "0 0 300 58", role: "img", "aria-label": record.probs.map((p, i) => `${symbols[i]}: ${shown(p, "percent")}`).join(", ") },
        record.probs.map((p, i) => [
            svg("rect", { class: "s0", x: 60 * i + 2, width: 52, y: 40 - 28 * p, height: 28 * p + 0.5 }),
            svg("text", { x: 60 * i + 28, y: 52, "text-anchor": "middle" }, `${symbols[i]}: ${shown(p, "percent")}`)]));
}

function panel(title, ...content) {
    return h("div", { class: "panel page" }, h("h4", {}, title), content);
}
const feedback_panels = (feedback, prefix, words) => (feedback ?? []).map(part =>
    panel(`${prefix}${part.order ? `${part.order}: ` : ""}${part.verdict ?? missing}`, h("p", {}, marked(part.text || "(no feedback)", words))));

function details(record, words) {
    const names = record.responses?.length === 2 ? ["Response A", "Response B"] : ["Response"];
    const titled = (title, text) => text !== undefined && text !== null && panel(title, h("p", {}, marked(text, words)));
    const facts = [
        ["calibrated", record.calibrated], ["on the scale", record.scale],
        ["entropy", record.entropy], ["tokens written", record.tokens], ["milliseconds", record.ms], ["characters", record.characters?.join(" / ")],
        ["ended by", record.finish], ["labels", record.labels],
    ].filter(([, value]) => value !== undefined && value !== null && value !== "");
    const rows = [
        [record.error && panel(record.reason || "unscored", h("p", {}, marked(record.error, words)))],
        feedback_panels(record.feedback, "", words),
        feedback_panels(record.other?.feedback, "Second file, ", words),
        [titled("Instruction", record.instruction)],
        (record.responses ?? []).map((text, i) => titled(names[i] + (record.names?.[i] ? ` (${record.names[i]})` : ""), text)),
        [titled("Reference answer", record.reference)],
        [record.probs && panel("Probabilities", probabilities(record)),
            panel("Facts", h("p", {}, facts.map(([name, value]) => `${name}: ${cell(value)}`).join("\n")),
                h("p", {}, (record.warnings ?? []).map(warning => h("span", { class: "tag" }, warning))))],
    ];
    return rows.map(panels => panels.filter(Boolean)).filter(panels => panels.length).map(panels => h("div", { class: "panels" }, panels));
}

function cells(record, used, words, opened) {
    const tags = record.kinds.filter(kind => kind !== "warned").map(kind => h("span", { class: "tag bad" }, kinds[kind]));
    return used.map(column => {
        const value = record[column.key];
        if (column.key === "id")
            return h("td", { class: column.class }, h("button", { type: "button", "data-open": record.index, "aria-expanded": String(opened) }, marked(String(value), words)));
        if (column.key === "verdict") return h("td", {}, value ?? missing, " ", tags);
        if (column.key === "preview") return h("td", { class: column.class }, marked(value.slice(0, 160), words));
        return h("td", { class: column.class }, column.key === "group" ? marked(value ?? missing, words) : column.key === "ms" && typeof value === "number" ? shown(Math.round(value), "count") : cell(value));
    });
}

function show_table(rows, all, state) {
    const words = (state.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const used = columns.filter(column => all.some(record => record[column.key] !== undefined && record[column.key] !== null && record[column.key] !== ""));
    const [sorted, down] = [state.sort?.replace(/^-/, ""), state.sort?.startsWith("-")];
    document.querySelector("#table thead").replaceChildren(h("tr", {}, used.map(column =>
        h("th", { scope: "col", class: column.class, "aria-sort": column.key === sorted ? (down ? "descending" : "ascending") : null },
            h("button", { type: "button", "data-sort": column.key }, column.title, column.key === sorted ? (down ? " ▼" : " ▲") : "")))));
    const open = rows.findIndex(record => String(record.index) === state.open);
    const pages = Math.max(1, Math.ceil(rows.length / page_rows));
    const page = Math.min(pages, Math.max(1, Number(state.page) || (open >= 0 ? 1 + Math.floor(open / page_rows) : 1)));
    const shown_rows = rows.slice((page - 1) * page_rows, page * page_rows);
    document.querySelector("#table tbody").replaceChildren(...shown_rows.flatMap(record => {
        const opened = String(record.index) === state.open;
        const row = h("tr", { "data-row": record.index }, cells(record, used, words, opened));
        return opened ? [row, h("tr", { class: "opened" }, h("td", { colspan: used.length }, details(record, words)))] : [row];
    }));
    const first = rows.length ? (page - 1) * page_rows + 1 : 0;
    document.getElementById("count").textContent =
        `${shown(rows.length, "count")} of ${shown(all.length, "count")} records, ${shown(first, "count")} to ${shown(first + shown_rows.length - (rows.length ? 1 : 0), "count")} shown`;
    document.getElementById("pages").replaceChildren(...(pages === 1 ? [] : [
        h("button", { type: "button", "data-page": page - 1, disabled: page === 1 }, "Previous"),
        h("span", {}, `Page ${page} of ${shown(pages, "count")}`),
        h("button", { type: "button", "data-page": page + 1, disabled: page === pages }, "Next")]));
}
