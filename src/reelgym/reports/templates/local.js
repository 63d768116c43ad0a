// What a served page asks of its server, answered from the page itself: everything is packed until it is looked at.
(function () {
  "use strict";
  var get = function (id) { return document.getElementById(id); };
  var book = JSON.parse(get("book").textContent);
  var opened = {};

  function unpack(id) {
    if (!opened[id]) {
      var bytes = Uint8Array.from(atob(get(id).textContent), function (letter) { return letter.charCodeAt(0); });
      opened[id] = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
    }
    return opened[id];
  }
  function chosen(choice, value) {
    var code = choice.values.indexOf(value);
    return function (row) { return choice.codes[row] === code; };
  }
  function narrowed(query, found) {
    var tests = {};
    book.choices.forEach(function (choice) {
      var value = query["f." + choice.name];
      if (value) { tests[choice.name] = chosen(choice, value); }
    });
    var passes = function (row, but) {
      return found[row] && Object.keys(tests).every(function (name) { return name === but || tests[name](row); });
    };
    var filters = book.choices.map(function (choice) {
      var counts = choice.values.map(function () { return 0; }), left = 0, there = 0;
      book.rows.forEach(function (_, row) {
        if (!passes(row, choice.name)) { return; }
        left += 1;
        if (choice.codes[row] >= 0) { counts[choice.codes[row]] += 1; there += 1; }
      });
      var offered = !choice.is_minor || 2 * there >= Math.max(1, left) || tests[choice.name];
      var options = choice.values.map(function (value, place) { return [value, counts[place]]; });
      return { name: choice.name, label: choice.label, options: offered && choice.values.length > 1 ? options : [] };
    });
    return {
      left: book.rows.map(function (_, row) { return passes(row, ""); }),
      filters: filters.filter(function (one) { return one.options.length; })
    };
  }
  function rows(query, texts) {
    var words = (query.q || "").toLowerCase();
    var found = book.rows.map(function (_, row) { return !words || texts[row].includes(words); });
    var told = narrowed(query, found), labels = Object.keys(book.sorts);
    var order = book.sorts[query.sort || labels[0]] || book.rows.map(function (_, row) { return row; });
    var left = order.filter(function (row) { return told.left[row]; });
    var shown = left.slice(query.offset, query.offset + query.limit);
    return {
      total: left.length, filters: told.filters, sorts: labels,
      rows: shown.map(function (row) { return book.rows[row]; })
    };
  }
  function item(key) {
    var place = book.rows.findIndex(function (row) { return row.key === key; });
    if (place < 0) { return Promise.reject(new Error("There is no question " + key)); }
    var pack = Math.floor(place / book.pack);
    return unpack("items-" + pack).then(function (items) { return items[place - pack * book.pack]; });
  }
  function answer(value) {
    return { json: function () { return value; }, text: function () { return value; } };
  }
  window.reelgym = {
    ask: function (name, query) {
      if (name === "about") { return Promise.resolve(answer(book.about)); }
      if (name === "stamp") { return Promise.resolve(answer({ stamp: book.about.stamp })); }
      if (name === "item") { return item(query.key).then(answer); }
      var texts = query.q ? unpack("texts") : Promise.resolve([]);
      return texts.then(function (found) { return answer(rows(query, found)); });
    },
    // Pictures lie in the page once, and become images when a question is looked at.
    dress: function (root) {
      root.querySelectorAll("img[data-frame]").forEach(function (image) {
        var held = get("frame-" + image.dataset.frame);
        if (held) { image.src = "data:image/jpeg;base64," + held.textContent; }
      });
    }
  };
})();
