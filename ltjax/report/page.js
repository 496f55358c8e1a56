// The page's own behaviour: the plot of curves, enlarged figures, and everything unfolded on paper.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  // viridis: what is ordered, as in the drawn figures
  const COLOURS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81]];
  const DASHES = ["solid", "7px,3px", "2px,2.5px", "8px,3px,2px,3px", "12px,4px"];
  const SHOWN = [100, 51.3, 21.1, 7.0, 3.6, 1.9]; // the paper's Figure 3 shows these percents remaining

  const COARSE = matchMedia("(pointer: coarse)").matches; // a finger that moves scrolls the page, and drags nothing
  const LARGER = 1.3; // how much wider a figure is at least where it is enlarged

  const escaped = (text) => text.replace(/[&<>]/g, (sign) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[sign]);

  function colour(at, count) {
    const place = (at / Math.max(count - 1, 1)) * (COLOURS.length - 1);
    const low = Math.min(Math.floor(place), COLOURS.length - 2);
    return COLOURS[low].map((value, i) => Math.round(value + (place - low) * (COLOURS[low + 1][i] - value)));
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  const choice = (group, value, ...marks) => element("label", {},
    element("input", {type: "checkbox", name: group, value}), ...marks);

  // --- the plot ---------------------------------------------------------------------------------------------

  function explore(runs) {
    const controls = byId("controls"), plot = byId("plot");
    const chosen = (name) => [...controls.querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value);
    const run = () => runs[Number(controls.elements.run.value)];

    runs.forEach((each, at) => controls.elements.run.append(element("option", {value: at}, each.name)));
    byId("run-choice").hidden = runs.length === 1;
    offer(run());
    controls.addEventListener("change", (event) => {
      if (event.target.name === "run") offer(run());
      draw();
    });
    controls.addEventListener("click", ({target}) => {
      if (!target.dataset.rounds) return;
      controls.querySelectorAll("input[name=round]").forEach((box) => { box.checked = target.dataset.rounds === "all"; });
      draw();
    });
    controls.addEventListener("submit", (event) => event.preventDefault());
    draw();

    function draw() {
      const view = {
        split: chosen("split")[0], metric: chosen("metric")[0], log: controls.elements.log.checked,
        band: controls.elements.band.checked, arms: chosen("arm"), rounds: chosen("round").map(Number),
      };
      const shown = run().lines.filter((line) => view.arms.includes(line.arm) && view.rounds.includes(line.round));
      Plotly.react(plot, shown.flatMap((line) => traces(line, run(), view)), layout(shown, run(), view),
        {responsive: true, displaylogo: false, displayModeBar: COARSE ? false : "hover",
          modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]});
    }
  }

  // the checkboxes of a run's arms and rounds; at first all arms, and the rounds nearest to the paper's
  function offer(run) {
    byId("measure").textContent = run.metric.name;
    byId("measure").parentElement.firstElementChild.value = run.metric.key;
    const boxes = run.arms.map((arm, at) => choice("arm", arm, dashSample(at), arm));
    byId("arms").replaceChildren(byId("arms").firstElementChild, ...boxes);
    const nearest = SHOWN.map((percent) => run.rounds.reduce((best, each) =>
      Math.abs(Math.log(each.percent / percent)) < Math.abs(Math.log(best.percent / percent)) ? each : best).round);
    const rounds = run.rounds.map(({round, percent}, at) => {
      const label = choice("round", round, `${round}: ${percent.toFixed(1)}%`);
      label.style.setProperty("--line", `rgb(${colour(at, run.rounds.length)})`);
      return label;
    });
    const buttons = byId("round-choice").querySelector(".buttons");
    byId("round-choice").replaceChildren(byId("round-choice").firstElementChild, ...rounds, buttons);
    document.getElementsByName("arm").forEach((box) => { box.checked = true; });
    document.getElementsByName("round").forEach((box) => { box.checked = nearest.includes(Number(box.value)); });
  }

  function dashSample(at) {
    const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    sample.setAttribute("viewBox", "0 0 32 8");
    sample.setAttribute("aria-hidden", "true");
    sample.innerHTML = `<line x1="0" x2="32" y1="4" y2="4" stroke-dasharray="${dash(at) === "solid" ? "none" : dash(at)}"/>`;
    return sample;
  }

  const dash = (at) => DASHES[at % DASHES.length];

  // a line with the dot of its mean early stop, and its band if more than one lane made it
  function traces(line, run, view) {
    const [mean, low, high] = line.splits[view.split][view.metric];
    const at = run.rounds.findIndex((each) => each.round === line.round);
    const rgb = colour(at, run.rounds.length), meta = {arm: line.arm, round: line.round};
    const percent = view.metric !== "loss" && run.metric.percent;
    const number = (value) => value === null ? "–" : percent ? value.toFixed(2) : value.toPrecision(3);
    const name = `<b>${escaped(line.arm)}</b>, round ${line.round}, ${run.rounds[at].percent.toFixed(1)}% left`;
    const words = mean.map((value, i) => `${name}<br>step ${line.step[i].toLocaleString("en")}: ${number(value)}` +
      `${percent ? "%" : ""}` + (line.lanes > 1 ? ` (${number(low[i])}–${number(high[i])})` : ""));
    const stop = line.step.reduce((best, step, i) =>
      Math.abs(step - line.stop) < Math.abs(line.step[best] - line.stop) ? i : best, 0);
    const sizes = line.step.map((_, i) => (i === stop ? 8 : 0));
    const drawn = {
      x: line.step, y: mean, meta: {...meta, kind: "mean"}, mode: "lines+markers", text: words, hoverinfo: "text",
      line: {color: `rgb(${rgb})`, width: 1.8, dash: dash(run.arms.indexOf(line.arm))},
      marker: {size: sizes, color: `rgb(${rgb})`, opacity: 1, line: {width: 0}},
      hoverlabel: {bgcolor: "#fff", bordercolor: `rgb(${rgb})`, font: {color: "#1c1e21"}, align: "left"},
    };
    if (!view.band || line.lanes < 2) return [drawn];
    const edge = {x: line.step, mode: "lines", line: {width: 0}, hoverinfo: "skip"};
    return [
      {...edge, y: low, meta: {...meta, kind: "low"}},
      {...edge, y: high, meta: {...meta, kind: "high"}, fill: "tonexty", fillcolor: `rgba(${rgb},0.13)`},
      drawn,
    ];
  }

  function layout(shown, run, view) {
    const measure = view.metric === "loss" ? "loss" : run.metric.percent ? `${run.metric.name}, %` : run.metric.name;
    const axis = {gridcolor: "#e9ebee", linecolor: "#1c1e21", ticks: "outside", tickcolor: "#1c1e21", zeroline: false,
      fixedrange: COARSE};
    return {
      font: {family: getComputedStyle(byId("controls")).fontFamily, size: 13, color: "#1c1e21"},
      margin: {l: 64, r: 34, t: 28, b: 52}, hovermode: "closest", showlegend: false, dragmode: COARSE ? false : "zoom",
      xaxis: {...axis, title: {text: "training step"}, tickformat: ",d",
        ...(view.log ? {type: "log", autorange: true} : {range: [0, Math.max(...shown.map((line) => line.step.at(-1)), 1)]})},
      yaxis: {...axis, title: {text: `${view.split} ${measure}`},
        type: view.metric === "loss" ? "log" : "linear", ...focus(shown, run, view)},
      // zooming survives a change of rounds and arms, not of what is measured
      uirevision: [view.split, view.metric, view.log, byId("controls").elements.run.value].join(),
    };
  }

  // from a twentieth of the training on, where lines are worth telling apart; the first steps are off the plot
  function focus(shown, run, view) {
    const signed = view.metric !== "loss" && !run.metric.percent;
    const values = shown.flatMap((line) => line.splits[view.split][view.metric].slice(view.band ? 1 : 0).flatMap((list) =>
      list.filter((value, i) => value !== null && (value > 0 || signed) && line.step[i] >= line.step.at(-1) / 20)));
    if (!values.length || view.log) return {autorange: true};
    const scale = view.metric === "loss" ? Math.log10 : (value) => value;
    const least = values.reduce((a, b) => Math.min(a, b)), most = values.reduce((a, b) => Math.max(a, b));
    const room = 0.04 * (scale(most) - scale(least)) || 0.1;
    return {range: [scale(least) - room, scale(most) + room]};
  }

  // --- figures and print ------------------------------------------------------------------------------------

  document.querySelectorAll(".enlarge").forEach((button) => button.addEventListener("click", () => {
    const large = byId("large"), shown = large.querySelector("img"), figure = button.querySelector("img");
    shown.src = figure.src;
    shown.alt = figure.alt;
    shown.style.width = `${enlarged(figure)}px`;
    large.querySelector("p").textContent = button.parentElement.querySelector("figcaption").textContent;
    large.showModal();
    large.querySelector(".scroll").scrollTo(0, 0);
  }));

  // as wide as the window holds, or as LARGER asks, whichever is more; the dialog scrolls
  function enlarged(figure) {
    const {width, height} = figure.getBoundingClientRect();
    return Math.max(LARGER * width, Math.min(0.95 * innerWidth, 0.8 * innerHeight * width / height));
  }

  byId("large").addEventListener("click", (event) => { if (event.target === byId("large")) byId("large").close(); });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

  if (byId("curves-data")) explore(JSON.parse(byId("curves-data").textContent));
})();
