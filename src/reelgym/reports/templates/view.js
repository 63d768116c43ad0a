// A list beside one item: filtered, paged and turned by keys. All text is set as text; HTML comes from our server alone.
(function () {
  "use strict";
  var get = function (id) { return document.getElementById(id); };
  var rows = get("rows"), item = get("item"), page = get("page"), words = get("words"), closer = get("closer");
  var PAGE = 50, WAIT = 4000;
  var about = null, lines = [], total = 0, asking = 0, fetching = 0;
  var state = { tab: "", q: "", sort: "", offset: 0, key: "", filters: {} };

  function make(tag, className, text) {
    var node = document.createElement(tag);
    if (className) { node.className = className; }
    if (text !== undefined) { node.textContent = text; }
    return node;
  }
  var local = window.reelgym;
  function ask(name, query) {
    if (local) { return local.ask(name, query || {}); }
    return fetch(name + "?" + new URLSearchParams(query || {})).then(function (answer) {
      if (answer.ok) { return answer; }
      return answer.text().then(function (reason) { throw new Error(reason); });
    });
  }
  function tell(error) {
    var gone = error instanceof TypeError;
    get("trouble").textContent = gone ? "The server has stopped: start `reelgym view` again." : error.message;
    get("trouble").hidden = false;
  }
  function tabOf() { return about.tabs.find(function (tab) { return tab.name === state.tab; }); }
  function form() { return tabOf().form; }
  function narrow() { return matchMedia("(max-width: 720px)").matches; }

  // The address holds the state, so that a page can be reloaded, left and come back to.
  function remember(isNew) {
    var query = new URLSearchParams();
    ["tab", "q", "sort", "key"].forEach(function (name) { if (state[name]) { query.set(name, state[name]); } });
    if (state.offset) { query.set("offset", state.offset); }
    Object.keys(state.filters).forEach(function (name) { query.set("f." + name, state.filters[name]); });
    history[isNew ? "pushState" : "replaceState"](null, "", "#" + query);
  }
  function recall() {
    var query = new URLSearchParams(location.hash.slice(1));
    var known = about.tabs.some(function (tab) { return tab.name === query.get("tab"); });
    state.tab = known ? query.get("tab") : about.tabs[0].name;
    state.q = query.get("q") || "";
    state.sort = query.get("sort") || "";
    state.key = query.get("key") || "";
    state.offset = Math.max(0, parseInt(query.get("offset") || "0", 10) || 0);
    state.filters = {};
    query.forEach(function (value, name) { if (name.slice(0, 2) === "f.") { state.filters[name.slice(2)] = value; } });
    if (!known) { begin(); }
  }
  function begin() { state.filters = Object.assign({}, about.defaults[state.tab] || {}); }

  function drawTabs() {
    get("tabs").replaceChildren.apply(get("tabs"), about.tabs.map(function (tab) {
      var button = make("button", "", tab.label);
      button.type = "button";
      if (tab.count !== null) { button.append(make("small", "", tab.count.toLocaleString("en"))); }
      if (tab.name === state.tab) { button.setAttribute("aria-current", "page"); }
      button.addEventListener("click", function () { open(tab.name); });
      return button;
    }));
  }
  function open(tab) {
    state = { tab: tab, q: "", sort: "", offset: 0, key: "", filters: {} };
    begin();
    remember(true);
    draw();
  }
  function draw() {
    drawTabs();
    words.value = state.q;
    get("browse").hidden = form() === "page";
    page.hidden = form() !== "page";
    document.body.classList.toggle("alone", form() === "table");
    document.body.classList.toggle("reading", Boolean(state.key));
    if (form() === "page") { return drawPage(); }
    page.replaceChildren();
    item.replaceChildren();
    return drawRows();
  }
  function drawPage() {
    page.classList.add("waiting");
    if (!page.childElementCount) { page.replaceChildren(make("p", "caption", "Reading the folder")); }
    return ask("page", { tab: state.tab }).then(function (answer) { return answer.text(); }).then(function (html) {
      page.innerHTML = html;
      page.classList.remove("waiting");
    }).catch(tell);
  }

  function drawRows(isRefreshed) {
    var query = { tab: state.tab, q: state.q, sort: state.sort, offset: state.offset, limit: PAGE };
    Object.keys(state.filters).forEach(function (name) { query["f." + name] = state.filters[name]; });
    var mine = ++asking;
    rows.classList.add("waiting");
    return ask("rows", query).then(function (answer) { return answer.json(); }).then(function (found) {
      if (mine !== asking) { return; }
      rows.classList.remove("waiting");
      get("trouble").hidden = true;
      if (found.total && state.offset >= found.total) { state.offset = 0; return drawRows(isRefreshed); }
      lines = found.rows;
      total = found.total;
      drawSelects(found);
      rows.replaceChildren.apply(rows, lines.map(drawLine));
      drawPlace();
      if (isRefreshed || form() === "table") { mark(); return; }
      rows.scrollTop = 0;
      var there = lines.some(function (line) { return line.key === state.key; });
      if (state.key && (there || !item.childElementCount)) { return choose(state.key); }
      if (!narrow()) { return lines.length ? choose(lines[0].key) : item.replaceChildren(); }
      mark();
    }).catch(function (error) { rows.classList.remove("waiting"); tell(error); });
  }
  function drawPlace() {
    var last = state.offset + lines.length;
    get("count").textContent = total.toLocaleString("en") + " " + (total === 1 ? tabOf().noun.replace(/ies$/, "y").replace(/s$/, "") : tabOf().noun);
    get("nothing").hidden = total > 0;
    get("place").textContent = total ? (state.offset + 1).toLocaleString("en") + "\u2013" + last.toLocaleString("en") : "";
    get("back").disabled = state.offset === 0;
    get("forth").disabled = last >= total;
    document.querySelector(".pages").hidden = total <= PAGE;
    get("clear").hidden = !state.q && !state.sort && !Object.keys(state.filters).length;
  }
  function drawLine(line) {
    var entry = make("li"), wide = form() === "table";
    var whole = wide ? entry : make("button");
    whole.append(make("span", "title", line.title));
    var tags = make("span", "mark " + (line.tags.length ? line.tags[0][1] : ""));
    tags.textContent = line.tags.map(function (tag) { return tag[0]; }).join(", ");
    if (wide) { whole.append(tags, make("span", "note", line.note)); return entry; }
    whole.append(make("span", "figure", line.figure));
    var under = make("span", "under");
    under.append(make("span", "note", line.note), tags);
    whole.append(under);
    whole.type = "button";
    whole.dataset.key = line.key;
    whole.addEventListener("click", function () { choose(line.key, true); });
    entry.append(whole);
    return entry;
  }
  function drawSelects(found) {
    var selects = found.filters.map(function (filter) {
      return drawSelect(filter.label, state.filters[filter.name] || "", "all", filter.options, function (value) {
        if (value) { state.filters[filter.name] = value; } else { delete state.filters[filter.name]; }
      });
    });
    if (found.sorts.length > 1) {
      var sorts = found.sorts.slice(1).map(function (name) { return [name, null]; });
      selects.push(drawSelect("Order", state.sort, found.sorts[0], sorts, function (value) { state.sort = value; }));
    }
    var focused = document.activeElement && document.activeElement.dataset.label;
    get("selects").replaceChildren.apply(get("selects"), selects);
    get("more").hidden = !selects.length;
    var again = focused && Array.from(document.querySelectorAll("#selects select")).find(function (select) {
      return select.dataset.label === focused;
    });
    if (again) { again.focus(); }
  }
  function drawSelect(name, value, none, options, set) {
    var label = make("label", value ? "set" : ""), select = make("select");
    select.dataset.label = name;
    select.append(new Option(none, ""));
    options.forEach(function (option) {
      var words = option[0] + (option[1] === null ? "" : " (" + option[1].toLocaleString("en") + ")");
      var made = new Option(words, option[0]);
      made.disabled = option[1] === 0 && option[0] !== value;
      select.append(made);
    });
    select.value = value;
    select.addEventListener("change", function () { set(select.value); again(); });
    label.append(make("span", "", name), select);
    return label;
  }
  function again() { state.offset = 0; remember(); drawRows(); }
  function clear() { state.q = words.value = ""; state.sort = ""; state.filters = {}; again(); }

  function choose(key, isNew) {
    if (!key) { return; }
    var opened = narrow() && !document.body.classList.contains("reading");
    state.key = key;
    remember(opened && isNew);
    if (isNew || !narrow()) { document.body.classList.add("reading"); }
    mark();
    var mine = ++fetching;
    item.classList.add("waiting");
    return ask("item", { tab: state.tab, key: key }).then(function (answer) { return answer.text(); }).then(function (html) {
      if (mine !== fetching) { return; }
      item.innerHTML = html;
      item.classList.remove("waiting");
      if (local) { local.dress(item); }
      item.querySelectorAll("[data-aspect]").forEach(function (slot) { slot.style.aspectRatio = slot.dataset.aspect; });
      if (!narrow() || !isNew) { settle(); } else if (local) { get("browse").scrollIntoView(); } else { window.scrollTo(0, 0); }
    }).catch(function (error) { item.replaceChildren(); item.classList.remove("waiting"); tell(error); });
  }
  // On a wide page the next item begins where the one before began.
  function settle() {
    var top = get("pane").getBoundingClientRect().top;
    if (top < 0) { window.scrollBy(0, top - 20); }
  }
  function mark() {
    rows.querySelectorAll("button").forEach(function (button) {
      var isChosen = button.dataset.key === state.key;
      if (!isChosen) { button.removeAttribute("aria-current"); return; }
      button.setAttribute("aria-current", "true");
      if (!narrow()) { reach(button); }
      if (rows.contains(document.activeElement)) { button.focus({ preventScroll: true }); }
    });
  }
  // The list alone is scrolled, never the page around it.
  function reach(button) {
    var list = rows.getBoundingClientRect(), one = button.getBoundingClientRect();
    if (one.top < list.top) { rows.scrollTop -= list.top - one.top; }
    if (one.bottom > list.bottom) { rows.scrollTop += one.bottom - list.bottom; }
  }
  function move(by) {
    var at = lines.findIndex(function (line) { return line.key === state.key; }) + by;
    if (at >= 0 && at < lines.length) { return choose(lines[at].key, true); }
    if (at < 0 ? state.offset > 0 : state.offset + lines.length < total) { turn(by); }
  }
  function turn(by) {
    var offset = state.offset + by * PAGE;
    if (offset < 0 || offset >= total) { return; }
    state.offset = offset;
    state.key = "";
    remember();
    drawRows().then(function () {
      if (document.body.classList.contains("reading") && lines.length) { choose(lines[by < 0 ? lines.length - 1 : 0].key, true); }
    });
  }
  function leave() {
    state.key = "";
    document.body.classList.remove("reading");
    remember();
    mark();
  }
  function reveal() {
    var sealed = item.querySelector(".sealed");
    if (!sealed) { return; }
    sealed.classList.remove("sealed");
    sealed.querySelector(".reveal").hidden = true;
    sealed.querySelector(".answer").hidden = false;
  }

  // One frame, closely.
  var frames = [], at = 0;
  function look(image) {
    frames = Array.from(item.querySelectorAll(".frame img")).filter(function (one) { return one.offsetParent; });
    at = frames.indexOf(image);
    closer.showModal();
    drawFrame(0);
  }
  function drawFrame(by) {
    at = (at + by + frames.length) % frames.length;
    var caption = frames[at].closest("figure").querySelector("figcaption");
    closer.querySelector("img").src = frames[at].getAttribute("src") + (local ? "" : "&large=1");
    closer.querySelector("span").textContent = caption ? caption.textContent : "";
  }
  // A frame that does not come says why, once for each row of frames.
  function lose(image) {
    var film = image.closest(".film");
    image.removeAttribute("loading");
    if (!film || film.dataset.lost) { return; }
    film.dataset.lost = "1";
    ask(image.getAttribute("src")).catch(function (error) { film.after(make("p", "lost", error.message)); });
  }

  // Below other parts of a page, keys belong to the browser only while it is what one sees.
  function isNear() {
    var place = get("browse").getBoundingClientRect();
    return !local || (place.top < innerHeight / 2 && place.bottom > innerHeight / 3);
  }
  function type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (closer.open) {
      if (event.key === "ArrowLeft") { drawFrame(-1); }
      if (event.key === "ArrowRight") { drawFrame(1); }
      return;
    }
    if (event.key === "Escape") { document.activeElement.blur(); if (narrow()) { leave(); } return; }
    if (/^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName) || get("browse").hidden || !isNear()) { return; }
    var does = {
      ArrowDown: function () { move(1); }, j: function () { move(1); },
      ArrowUp: function () { move(-1); }, k: function () { move(-1); },
      ArrowRight: function () { turn(1); }, ArrowLeft: function () { turn(-1); },
      a: reveal, "/": function () { words.focus(); words.select(); }
    }[event.key];
    if (does && (form() === "list" || event.key === "/" || /Left|Right/.test(event.key))) { event.preventDefault(); does(); }
  }
  function refresh() {
    if (document.hidden || !about) { return; }
    ask("stamp").then(function (answer) { return answer.json(); }).then(function (found) {
      if (found.stamp === about.stamp) { return; }
      return ask("about").then(function (answer) { return answer.json(); }).then(function (told) {
        about = told;
        drawTabs();
        get("fresh").textContent = "updated " + new Date().toLocaleTimeString();
        return form() === "page" ? drawPage() : drawRows(true);
      });
    }).catch(tell);
  }

  var typing = 0;
  words.addEventListener("input", function () {
    clearTimeout(typing);
    typing = setTimeout(function () { state.q = words.value.trim(); again(); }, 250);
  });
  get("filters").addEventListener("submit", function (event) { event.preventDefault(); });
  get("more").addEventListener("click", function () {
    get("more").setAttribute("aria-expanded", String(document.body.classList.toggle("filtering")));
  });
  get("clear").addEventListener("click", clear);
  get("clear-all").addEventListener("click", clear);
  get("back").addEventListener("click", function () { turn(-1); });
  get("forth").addEventListener("click", function () { turn(1); });
  get("previous").addEventListener("click", function () { move(-1); });
  get("next").addEventListener("click", function () { move(1); });
  get("close").addEventListener("click", leave);
  get("closer-back").addEventListener("click", function () { drawFrame(-1); });
  get("closer-forth").addEventListener("click", function () { drawFrame(1); });
  get("closer-close").addEventListener("click", function () { closer.close(); });
  item.addEventListener("click", function (event) {
    var link = event.target.closest("[data-search]");
    if (link) { state.q = words.value = link.dataset.search; state.filters = {}; again(); }
    if (event.target.closest(".reveal")) { reveal(); }
    if (event.target.matches(".frame img")) { look(event.target); }
  });
  item.addEventListener("error", function (event) { if (event.target.tagName === "IMG") { lose(event.target); } }, true);
  document.addEventListener("keydown", type);
  window.addEventListener("popstate", function () { recall(); draw(); });
  ask("about").then(function (answer) { return answer.json(); }).then(function (told) {
    about = told;
    recall();
    remember();
    draw();
    if (!local) { setInterval(refresh, WAIT); }
  }).catch(tell);
})();
