// Draws the page from the run that stands in it.
(() => {
  // ---- small tools
  const fixed = (digits) => (n) => n.toFixed(digits);
  const short = (n) => (n >= 100 ? whole.format(Math.round(n)) : String(Number(n.toPrecision(3))));
  const mib = (cost) => whole.format(Math.round(cost / 1024));
  function size(n) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (n >= 1000 && unit < 4) { n /= 1000; unit += 1; }
    return `${Number(n.toPrecision(3))} ${units[unit]}`;
  }

  // ---- what there is
  const measured = run.results.filter((r) => !r.check);
  const checks = run.results.filter((r) => r.check);
  const files = [...new Set(measured.map((r) => r.file))];
  const specs = [...new Set(run.results.map((r) => r.spec))];
  const names = new Map(run.results.map((r) => [r.spec, r.compressor]));
  const own = (spec) => names.get(spec).startsWith("llmzip");
  const found = new Map(measured.map((r) => [`${r.spec}\n${r.file}`, r]));
  const at = (spec, file) => found.get(`${spec}\n${file}`);
  const hasModel = run.totals.some((t) => t.model_bytes > 0);

  // Circles are llmzip, squares its peers; after eight colours other shapes begin.
  function look(spec) {
    const number = specs.indexOf(spec);
    const shapes = own(spec) ? ["circle", "triangle"] : ["square", "diamond"];
    return { colour: `k${number % 8}`, shape: shapes[Math.floor(number / 8) % 2] };
  }
  function shape(parent, kind, x, y, r) {
    const attributes = { class: "shape" };
    if (kind === "circle") return put(parent, "circle", { ...attributes, cx: x, cy: y, r });
    const d = {
      square: `M${x - r * 0.9} ${y - r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
      triangle: `M${x} ${y - r * 1.2}L${x + r * 1.15} ${y + r * 0.9}H${x - r * 1.15}z`,
      diamond: `M${x} ${y - r * 1.3}L${x + r * 1.3} ${y}L${x} ${y + r * 1.3}L${x - r * 1.3} ${y}z`,
    }[kind];
    return put(parent, "path", { ...attributes, d });
  }
  function key(parent, spec) {
    const { colour, shape: kind } = look(spec);
    const svg = put(parent, "svg", { class: `key ${colour}`, viewBox: "0 0 14 14", "aria-hidden": "true" });
    shape(svg, kind, 7, 7, 5);
  }

  // ---- state, also in the address: #file=NAME&with=SPEC
  const state = { file: null, pinned: null, hover: null, sort: { column: "archive_bytes", down: false } };
  const matrix = { column: null, down: false };
  function readAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    state.file = files.includes(words.get("file")) ? words.get("file") : null;
    if (files.length === 1) state.file = files[0];
    state.pinned = specs.includes(words.get("with")) ? words.get("with") : null;
  }
  function address(file, spec) {
    const words = new URLSearchParams();
    if (file !== null && files.length > 1) words.set("file", file);
    if (spec !== null) words.set("with", spec);
    return `#${words}`;
  }
  function writeAddress() {
    history.replaceState(null, "", address(state.file, state.pinned));
  }
  const rows = () => (state.file === null ? run.totals : specs.map((s) => at(s, state.file)).filter(Boolean));

  // ---- highlighting: one compressor everywhere
  function highlight() {
    const spec = state.hover ?? state.pinned;
    document.body.classList.toggle("some", spec !== null);
    for (const node of document.querySelectorAll("[data-with]")) {
      node.classList.toggle("on", node.dataset.with === spec);
      node.classList.toggle("dim", spec !== null && node.dataset.with !== spec && node.closest("svg") !== null);
      if (node.hasAttribute("aria-pressed")) node.setAttribute("aria-pressed", node.dataset.with === state.pinned);
    }
    const row = spec === null ? null : rows().find((r) => r.spec === spec);
    byId("readout").textContent = !row ? "" : row.status !== "ok" ? `${row.compressor}: ${row.status}` :
      `${row.compressor}: ${whole.format(row.archive_bytes)} bytes, ${row.bits_per_byte.toFixed(3)} bits per byte, ratio ` +
      `${row.ratio.toFixed(3)}; ${short(row.compress_speed)} MB/s to compress, ${short(row.decompress_speed)} MB/s to decompress`;
  }
  function pin(spec) {
    state.pinned = state.pinned === spec ? null : spec;
    state.hover = null;
    writeAddress();
    highlight();
  }
  function follow(node, spec) {
    node.dataset.with = spec;
    node.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") { state.hover = spec; highlight(); }
    });
    node.addEventListener("pointerleave", () => { state.hover = null; highlight(); });
  }

  // ---- tables
  function heading(line, label, sorted, onClick, title) {
    const cell = put(line, "th", { scope: "col", "aria-sort": sorted === null ? "none" : sorted ? "descending" : "ascending" });
    const button = put(cell, "button", { type: "button", title }, label);
    button.addEventListener("click", onClick);
    return cell;
  }
  function compare(a, b, down) {
    const none = (value) => value === null || value === undefined;
    if (none(a) || none(b)) return none(a) - none(b);
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  }
  const COLUMNS = [
    ["compressor", "compressor", (r) => r.compressor, null, ""],
    ["archive_bytes", "bytes", (r) => r.archive_bytes, whole.format, "bytes of the archives"],
    ["bits_per_byte", "bits/byte", (r) => r.bits_per_byte, fixed(3), "bits of archive for each byte of content"],
    ["ratio", "ratio", (r) => r.ratio, fixed(3), "bytes of content for each byte of archive"],
    ["mean", "mean b/B", (r) => r.mean_bits_per_byte, fixed(3), "the plain mean of the files' bits per byte"],
    ["compress_speed", "MB/s", (r) => r.compress_speed, short, "compressing: megabytes of content a second, elapsed"],
    ["compress_cpu", "CPU s", (r) => r.compress.cpu, fixed(2), "compressing: seconds of processor time"],
    ["decompress_speed", "back MB/s", (r) => r.decompress_speed, short, "decompressing: megabytes of content a second, elapsed"],
    ["decompress_cpu", "CPU s", (r) => r.decompress.cpu, fixed(2), "decompressing: seconds of processor time"],
    ["peak", "MiB", (r) => Math.max(r.compress.peak, r.decompress.peak), mib, "the most memory of a process, either way"],
    ["adjusted_bytes", "with model", (r) => r.adjusted_bytes, whole.format, "bytes of the archives and of the model that they need"],
    ["adjusted", "bits/byte", (r) => r.adjusted_bits_per_byte, fixed(3), "bits per byte with the model counted"],
    ["break_even", "breaks even", (r) => r.break_even, size, "bytes of such content from which on the model has paid for itself"],
  ];
  function columns() {
    return COLUMNS.filter(([id]) => (id !== "mean" || (state.file === null && files.length > 1)) &&
      (hasModel || !["adjusted_bytes", "adjusted", "break_even"].includes(id)));
  }
  function drawTable() {
    const table = byId("table");
    table.textContent = "";
    const shown = columns();
    const head = put(put(table, "thead"), "tr");
    for (const [id, label, , , title] of shown) {
      const active = state.sort.column === id;
      heading(head, label, active ? state.sort.down : null, () => {
        state.sort = { column: id, down: state.sort.column === id && !state.sort.down };
        drawTable();
        highlight();
        byId("table").querySelectorAll("thead button")[shown.findIndex(([other]) => other === id)].focus();
      }, title);
    }
    const value = (COLUMNS.find(([id]) => id === state.sort.column) || COLUMNS[1])[2];
    const good = rows().filter((r) => r.status === "ok");
    good.sort((a, b) => compare(value(a), value(b), state.sort.down));
    const bad = rows().filter((r) => r.status !== "ok");
    const best = Math.min(...good.map((r) => r.archive_bytes));
    const body = put(table, "tbody");
    for (const row of [...good, ...bad]) {
      const line = put(body, "tr", { class: row.archive_bytes === best && row.status === "ok" ? "best" : null });
      follow(line, row.spec);
      const name = put(line, "th", { scope: "row" });
      const button = put(name, "button", { type: "button", "aria-pressed": "false", "data-with": row.spec });
      key(button, row.spec);
      button.append(row.compressor);
      button.addEventListener("click", () => pin(row.spec));
      if (row.status !== "ok") {
        put(line, "td", { class: "status", colspan: shown.length - 1 }, row.status);
        continue;
      }
      for (const [, , get, text] of shown.slice(1)) {
        const number = get(row);
        put(line, "td", {}, number === null || number === undefined ? "" : text(number));
      }
    }
  }
  function drawMatrix() {
    const table = byId("files");
    table.textContent = "";
    byId("files-section").hidden = files.length < 2;
    if (files.length < 2) return;
    const shown = run.totals.filter((t) => specs.some((s) => s === t.spec && files.some((f) => at(s, f)?.status === "ok"))).map((t) => t.spec);
    const head = put(put(table, "thead"), "tr");
    const add = (id, label) => {
      const cell = heading(head, label, matrix.column === id ? matrix.down : null, () => {
        matrix.down = matrix.column === id && !matrix.down;
        matrix.column = id;
        drawMatrix();
        highlight();
        [...byId("files").querySelectorAll("thead button")][id === "file" ? 0 : id === "bytes" ? 1 : 2 + shown.indexOf(id)].focus();
      });
      if (names.has(id)) follow(cell, id);
    };
    add("file", "file");
    add("bytes", "bytes");
    for (const spec of shown) add(spec, names.get(spec));
    const bytes = (file) => measured.find((r) => r.file === file).raw_bytes;
    const value = { file: (f) => f, bytes, null: (f) => files.indexOf(f) }[matrix.column] ??
      ((f) => at(matrix.column, f)?.bits_per_byte);
    const body = put(table, "tbody");
    for (const file of [...files].sort((a, b) => compare(value(a), value(b), matrix.down))) {
      const line = put(body, "tr", { class: file === state.file ? "on" : null });
      const name = put(line, "th", { scope: "row" });
      put(name, "a", { href: address(file, null), class: "long", title: file }, file);
      put(line, "td", {}, whole.format(bytes(file)));
      const rates = shown.map((s) => at(s, file)).map((r) => (r?.status === "ok" ? r.bits_per_byte : null));
      const best = Math.min(...rates.filter((rate) => rate !== null));
      shown.forEach((spec, number) => {
        const rate = rates[number];
        const cell = put(line, "td", { class: rate === best ? "best" : null });
        follow(cell, spec);
        if (rate !== null) put(cell, "a", { href: address(file, spec) }, rate.toFixed(3));
      });
    }
  }
  function drawChecks() {
    byId("checks-section").hidden = checks.length === 0;
    const inputs = [...new Set(checks.map((r) => r.file))];
    const table = byId("checks");
    const head = put(put(table, "thead"), "tr");
    put(head, "th", { scope: "col" }, "compressor");
    for (const file of inputs) {
      const bytes = checks.find((r) => r.file === file).raw_bytes;
      put(head, "th", { scope: "col" }, `${file}, ${whole.format(bytes)}`);
    }
    const body = put(table, "tbody");
    for (const spec of specs) {
      const own = inputs.map((file) => checks.find((r) => r.file === file && r.spec === spec));
      if (!own.some((r) => r?.status === "ok")) continue;
      const line = put(body, "tr");
      follow(line, spec);
      const name = put(line, "th", { scope: "row" });
      key(name, spec);
      name.append(names.get(spec));
      for (const r of own) {
        put(line, "td", {}, r?.status === "ok" ? `${(100 * r.archive_bytes / r.raw_bytes).toFixed(2)} %` : "");
      }
    }
  }

  // ---- plots
  function ticks(low, high, most) {
    const every = (step) => Array.from({ length: Math.round(9 / step) }, (_, i) => 1 + i * step);
    for (const digits of [every(0.1), every(0.2), every(0.5), [1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1, 3], [1]]) {
      const all = [];
      for (let power = Math.floor(low) - 1; power <= Math.ceil(high); power += 1) {
        for (const digit of digits) all.push(Math.log10(digit) + power);
      }
      const inside = all.filter((value) => value >= low && value <= high);
      if (inside.length <= most) return inside;
    }
    return [];
  }
  function range(values, padding, least) {
    let low = Math.min(...values), high = Math.max(...values);
    const grow = Math.max(least - (high - low), 0) / 2 + padding * Math.max(high - low, least);
    low -= grow; high += grow;
    return [low, high];
  }
  function front(points) {
    const best = [];
    for (const point of [...points].sort((a, b) => b.x - a.x || b.y - a.y)) {
      if (best.length === 0 || point.y > best[best.length - 1].y) best.push(point);
    }
    return best.reverse();
  }
  function drawPlot(way, title) {
    const box = byId(way);
    box.textContent = "";
    const points = rows().filter((r) => r.status === "ok").map((row) => ({
      row, x: Math.log10(row[`${way}_speed`]), y: Math.log10(row.ratio),
    }));
    if (points.length === 0) { box.textContent = "nothing to show"; return; }
    const width = Math.max(box.clientWidth, 260), height = Math.max(300, Math.min(400, width * 0.72));
    const pad = { left: 40, right: 14, top: 14, bottom: 40 };
    const [x0, x1] = range(points.map((p) => p.x), 0.1, 0.5);
    const [y0, y1] = range(points.map((p) => p.y), 0.12, 0.05);
    const sx = (x) => pad.left + (x - x0) / (x1 - x0) * (width - pad.left - pad.right);
    const sy = (y) => height - pad.bottom - (y - y0) / (y1 - y0) * (height - pad.top - pad.bottom);
    const svg = put(box, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${title}: ratio against speed, ${points.length} compressors` });
    for (const x of ticks(x0, x1, Math.floor(width / 55))) {
      put(svg, "line", { class: "grid", x1: sx(x), x2: sx(x), y1: pad.top, y2: height - pad.bottom });
      put(svg, "text", { class: "tick", x: sx(x), y: height - pad.bottom + 16, "text-anchor": "middle" }, short(10 ** x));
    }
    for (const y of ticks(y0, y1, 9)) {
      put(svg, "line", { class: "grid", x1: pad.left, x2: width - pad.right, y1: sy(y), y2: sy(y) });
      put(svg, "text", { class: "tick", x: pad.left - 6, y: sy(y) + 4, "text-anchor": "end" }, short(10 ** y));
    }
    put(svg, "text", { class: "tick", x: width - pad.right, y: height - 6, "text-anchor": "end" }, "MB/s, more is faster \u2192");
    put(svg, "text", { class: "tick", x: pad.left + 4, y: pad.top + 8 }, "\u2191 ratio");
    const best = front(points);
    const steps = best.map((p, i) => (i === 0 ? `M${pad.left} ${sy(p.y)}H${sx(p.x)}` : `V${sy(p.y)}H${sx(p.x)}`)).join("");
    put(svg, "path", { class: "front", d: `${steps}V${height - pad.bottom}` });
    const taken = points.map((p) => [sx(p.x) - 7, sy(p.y) - 7, sx(p.x) + 7, sy(p.y) + 7]);
    for (const point of points) {
      const { row } = point, { colour, shape: kind } = look(row.spec);
      const x = sx(point.x), y = sy(point.y), onFront = best.includes(point);
      const group = put(svg, "g", {
        class: `point ${colour}${onFront ? " best" : ""}`, tabindex: "0", role: "button", "aria-pressed": "false",
        "aria-label": `${row.compressor}: ratio ${row.ratio.toFixed(3)}, ${short(row[`${way}_speed`])} MB/s${onFront ? ", on the Pareto front" : ""}`,
      });
      follow(group, row.spec);
      put(group, "circle", { cx: x, cy: y, r: 14, fill: "transparent" });
      put(group, "circle", { class: "halo", cx: x, cy: y, r: 10 });
      shape(group, kind, x, y, 5.5);
      const text = put(group, "text", {}, row.compressor);
      place(text, x, y, taken, [pad.left, pad.top, width, height - pad.bottom]);
      group.addEventListener("click", () => pin(row.spec));
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(row.spec); }
      });
      group.addEventListener("focus", () => { state.hover = row.spec; highlight(); });
      group.addEventListener("blur", () => { state.hover = null; highlight(); });
    }
  }
  // Puts a label beside its point where no other is; where there is no room the label goes.
  function place(text, x, y, taken, [left, top, right, bottom]) {
    const wide = text.getComputedTextLength(), high = 13;
    const spots = [[10, 4], [-10 - wide, 4], [-wide / 2, -11], [-wide / 2, 20], [8, -9], [8, 17], [-8 - wide, -9], [-8 - wide, 17],
      [10, -22], [10, 30], [-10 - wide, -22], [-10 - wide, 30]];
    for (const [dx, dy] of spots) {
      const area = [x + dx, y + dy - high + 3, x + dx + wide, y + dy + 3];
      if (area[0] < left || area[2] > right || area[1] < top || area[3] > bottom) continue;
      if (taken.some((t) => t[0] < area[2] && area[0] < t[2] && t[1] < area[3] && area[1] < t[3])) continue;
      taken.push(area);
      text.setAttribute("x", x + dx);
      text.setAttribute("y", y + dy);
      return;
    }
    text.remove();
  }

  // ---- bits per byte along a file
  const curves = (file) => specs.map((s) => at(s, file)).filter((r) => r?.status === "ok" && r.along.length > 0);
  function drawCurves(box, file, height, labels) {
    const shown = curves(file), raw = shown[0].raw_bytes;
    if (labels) {
      const legend = put(box, "p", { class: "legend" });
      for (const { spec, compressor } of shown) {
        const button = put(legend, "button", { type: "button", "aria-pressed": "false" });
        key(button, spec);
        button.append(compressor);
        follow(button, spec);
        button.addEventListener("click", () => pin(spec));
      }
    }
    const width = Math.max(box.clientWidth, 200);
    const pad = { left: 32, right: 10, top: 10, bottom: labels ? 36 : 18 };
    const top = Math.max(...shown.flatMap((r) => r.along.map(([, bits]) => bits))) * 1.08 || 1;
    const sx = (offset) => pad.left + offset / raw * (width - pad.left - pad.right);
    const sy = (bits) => height - pad.bottom - bits / top * (height - pad.top - pad.bottom);
    const svg = put(box, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `Bits per byte along ${file}: ${shown.map((r) => `${r.compressor} ${r.bits_per_byte.toFixed(3)} over all`).join(", ")}` });
    const step = [0.25, 0.5, 1, 2, 4, 8].find((s) => top / s <= (labels ? 8 : 3.5)) ?? 16;
    for (let bits = 0; bits <= top; bits += step) {
      put(svg, "line", { class: "grid", x1: pad.left, x2: width - pad.right, y1: sy(bits), y2: sy(bits) });
      put(svg, "text", { class: "tick", x: pad.left - 6, y: sy(bits) + 4, "text-anchor": "end" }, String(bits));
    }
    put(svg, "text", { class: "tick", x: pad.left, y: height - pad.bottom + 14 }, "0");
    put(svg, "text", { class: "tick", x: width - pad.right, y: height - pad.bottom + 14, "text-anchor": "end" }, size(raw));
    if (labels) put(svg, "text", { class: "tick", x: width - pad.right, y: height - 6, "text-anchor": "end" }, "offset in the file \u2192");
    for (const row of shown) {
      const { colour } = look(row.spec);
      const d = row.along.map(([offset, bits], i) => `${i === 0 ? "M" : "L"}${sx(offset)} ${sy(bits)}H${sx(row.along[i + 1]?.[0] ?? raw)}`).join("");
      const curve = put(svg, "path", { class: `curve ${colour}`, d });
      follow(curve, row.spec);
      curve.addEventListener("click", () => pin(row.spec));
    }
  }
  function drawAlong() {
    const box = byId("along");
    box.textContent = "";
    const shown = (state.file === null ? files : [state.file]).filter((file) => curves(file).length > 0);
    byId("along-section").hidden = !files.some((file) => curves(file).length > 0);
    if (shown.length === 0) { put(box, "p", { class: "small" }, "No compressor tells for this file."); return; }
    const single = state.file !== null;
    const grid = put(box, "div", { class: single ? "" : "many" });
    const places = shown.map((file) => {
      const figure = put(grid, "figure");
      const caption = put(figure, "figcaption");
      if (single) caption.append(file); else put(caption, "a", { href: address(file, state.pinned) }, file);
      return [put(figure, "div", { class: "plot" }), file];
    });
    for (const [place, file] of places) drawCurves(place, file, single ? 280 : 130, single);
  }

  // ---- words
  function drawWords() {
    const total = run.totals[0];
    byId("headline").textContent = files.length === 1 ? files[0] : `${files.length} files, ${size(total.raw_bytes)}`;
    const good = run.totals.filter((t) => t.status === "ok");
    byId("lead").textContent = good.length === 0 ? "No compressor ended well." :
      `${whole.format(total.raw_bytes)} bytes, ${specs.length} compressors. The smallest: ${good[0].compressor}, ` +
      `${whole.format(good[0].archive_bytes)} bytes, ${good[0].bits_per_byte.toFixed(3)} bits per byte.`;
    for (const t of run.totals.filter((one) => one.status !== "ok")) put(byId("failures"), "li", {}, `${t.compressor}: ${t.status}`);
    const kept = run.results.filter((r) => r.kept).length;
    const versions = run.totals.filter((t) => t.version).map((t) => `${t.compressor}: ${t.version}`);
    const notes = [
      `${run.machine}; ${run.date}; ${run.threads === 1 ? "one thread" : `${run.threads} threads`}; llmzip ${run.version}.`,
      "Every size is that of an archive that another process decoded, and whose content was compared byte by byte.",
      "Every file is compressed and decompressed by a process of its own. MB/s are millions of bytes of content in a second of elapsed time, with the start of the program.",
      `Memory is the largest resident size of one process; peaks under ${whole.format(Math.floor(run.peak_floor / 1024))} MiB cannot be told apart.`,
      "Bits per byte of all files are those of their sum; mean b/B is the plain mean of the files' own.",
    ];
    byId("uncounted").hidden = !hasModel;
    if (hasModel) notes.push("With a model: decoding needs it, so it is counted in \u201cwith model\u201d, once. It breaks even where so much content was compressed that it has paid for itself against the best compressor here that needs none.");
    if (kept > 0) notes.push(`${whole.format(kept)} of ${whole.format(run.results.length)} results were kept from earlier runs on this machine.`);
    if (versions.length > 0) notes.push(`Versions: ${versions.join("; ")}.`);
    for (const note of notes) put(byId("notes"), "li", {}, note);
  }

  // ---- all of it
  const pick = byId("file");
  put(pick, "option", { value: "-1" }, files.length === 1 ? files[0] : `all ${files.length} files`);
  if (files.length > 1) files.forEach((file, number) => put(pick, "option", { value: number }, file));
  function draw() {
    pick.value = files.length === 1 || state.file === null ? "-1" : String(files.indexOf(state.file));
    drawTable();
    drawPlots();
    drawMatrix();
    highlight();
  }
  function drawPlots() {
    drawPlot("compress", "Compression");
    drawPlot("decompress", "Decompression");
    drawAlong();
  }
  pick.addEventListener("change", () => {
    state.file = pick.value === "-1" && files.length > 1 ? null : files[Math.max(Number(pick.value), 0)];
    writeAddress();
    draw();
  });
  addEventListener("hashchange", () => { readAddress(); draw(); });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) { width = innerWidth; drawPlots(); highlight(); }
  });
  readAddress();
  if (run.totals.length > 0) { drawWords(); drawChecks(); draw(); }
})();
