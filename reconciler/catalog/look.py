"""How the page looks and how its search works: one style sheet and one small script, both inside the page."""

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1b1f24;--soft:#59636e;--line:#d9dee4;--code:#eef1f4;--link:#0a58ca;
--good:#1a7f37;--bad:#c62828;--warn:#8a5a00;--calm:#0a58ca;--plain:#59636e}
@media(prefers-color-scheme:dark){:root{--bg:#0f1216;--card:#171b21;--text:#e6e9ed;--soft:#9aa4b0;--line:#2b323b;--code:#222831;--link:#7db4ff;
--good:#4cc06c;--bad:#ff7b72;--warn:#e3b341;--calm:#7db4ff;--plain:#9aa4b0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:84rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.75rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem}
.sum{color:var(--soft);margin:0 0 1rem}
.tools{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:0 0 1rem}
.tools[hidden]{display:none}
input[type=search]{flex:1 1 16rem;min-width:0;max-width:32rem;padding:.55rem .75rem;font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
button{font:inherit;font-size:.875rem;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:999px;padding:.35rem .8rem;cursor:pointer}
button[aria-pressed=true]{background:var(--link);border-color:var(--link);color:var(--card)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
#count{color:var(--soft);font-size:.875rem}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,23rem),1fr));gap:1rem;align-items:start;padding-bottom:1.5rem}
article{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.1rem;min-width:0;content-visibility:auto;contain-intrinsic-size:auto 16rem}
article[hidden]{display:none}
article:target{border-color:var(--link)}
.top{display:flex;gap:.75rem;justify-content:space-between;align-items:baseline}
h2{font-size:1.05rem;line-height:1.3;margin:0;overflow-wrap:anywhere}
h2 a{color:inherit;text-decoration:none}
h2 a:hover{text-decoration:underline}
.phase{flex:none;font-size:.8rem;font-weight:600;color:var(--plain)}
.phase::before{content:"";display:inline-block;width:.55rem;height:.55rem;border-radius:50%;background:currentColor;margin-right:.4rem}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.calm{color:var(--calm)}
p{margin:.4rem 0 0;overflow-wrap:anywhere}
.labels{display:flex;flex-wrap:wrap;gap:.35rem;margin:.6rem 0 0;padding:0;list-style:none}
.labels li{font-size:.78rem;background:var(--code);border-radius:.3rem;padding:.1rem .45rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:minmax(5.5rem,max-content) minmax(0,1fr);gap:.2rem .8rem;margin:.7rem 0 0;font-size:.875rem}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--code);border-radius:.25rem;padding:.05rem .3rem;overflow-wrap:anywhere}
a{color:var(--link)}
details{margin-top:.7rem;border-top:1px solid var(--line);padding-top:.55rem}
summary{cursor:pointer;font-size:.875rem;color:var(--soft)}
.error{color:var(--bad);font-size:.875rem}
footer{color:var(--soft);font-size:.85rem;padding-bottom:2rem}
@media(max-width:40rem){input[type=search]{flex-basis:100%;max-width:none}}
@media print{.tools{display:none}article{break-inside:avoid}}
"""

SCRIPT = """
(function () {
  var tools = document.getElementById('tools'), box = document.getElementById('search'), count = document.getElementById('count');
  var cards = Array.prototype.slice.call(document.querySelectorAll('article'));
  var buttons = Array.prototype.slice.call(document.querySelectorAll('button[data-phase]'));
  var texts = cards.map(function (card) { return card.getAttribute('data-search'); });
  var phase = '';
  function show() {
    var words = box.value.toLowerCase().split(/\\s+/).filter(Boolean), shown = 0;
    cards.forEach(function (card, i) {
      var fits = (!phase || card.getAttribute('data-phase') === phase) && words.every(function (word) { return texts[i].indexOf(word) >= 0; });
      card.hidden = !fits;
      if (fits) { shown += 1; }
    });
    count.textContent = shown === cards.length ? '' : shown + ' of ' + cards.length;
  }
  buttons.forEach(function (button) {
    button.addEventListener('click', function () {
      phase = phase === button.getAttribute('data-phase') ? '' : button.getAttribute('data-phase');
      buttons.forEach(function (other) { other.setAttribute('aria-pressed', String(other.getAttribute('data-phase') === phase)); });
      show();
    });
  });
  box.addEventListener('input', show);
  tools.hidden = false;
  show();
}());
"""
"""Only hides and shows: without it, every model stands there."""
