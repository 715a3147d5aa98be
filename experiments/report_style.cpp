#include "experiments/report_style.h"

namespace basis {

// --c0 to --c7 stand for the palette of experiments/plot_svg.cpp, with enough contrast on each
// page.
const char* const report_style = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1b1a; --soft: #5c5b57; --line: #d9d7d0; --wash: #f6f5f1;
  --muted: #808080; --grid: #e6e4de; --accent: #0b5a8a;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #c2609a;
  --c4: #c98500; --c5: #3d9fd6; --c6: #8c5a2b; --c7: #5b4b9a;
  --serif: Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Cambria, Georgia, serif;
  --sans: "Inter", "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --ink: #e8e6e1; --soft: #a9a7a1; --line: #3a3d42; --wash: #1e2125;
    --muted: #98989a; --grid: #2c2f34; --accent: #7fc1ee;
    --c0: #5fb2ee; --c1: #ff8f4a; --c2: #35c79b; --c3: #ec9dcb;
    --c4: #f2b63c; --c5: #9ad7fb; --c6: #c99a6a; --c7: #a99aee;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.55 var(--serif); font-variant-numeric: lining-nums; }
main { max-width: 74rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
header { border-bottom: 3px solid var(--ink); padding-bottom: 1.4rem; margin-bottom: 1rem; }
.kicker { font: 600 .74rem/1.4 var(--sans); letter-spacing: .12em; text-transform: uppercase;
  color: var(--accent); margin: 0 0 .5rem; }
h1 { font-size: clamp(1.9rem, 5vw, 2.9rem); line-height: 1.12; margin: 0; font-weight: 600;
  letter-spacing: -.012em; text-wrap: balance; }
.question { font-size: 1.18rem; font-style: italic; color: var(--soft); max-width: 46rem;
  margin: .9rem 0 0; }
h2 { font-size: 1.5rem; line-height: 1.2; font-weight: 600; margin: 3.4rem 0 .6rem;
  padding-top: .7rem; border-top: 1px solid var(--line); }
p, ul, ol { max-width: 46rem; }
ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
a { color: var(--accent); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr));
  gap: .4rem 1.6rem; margin: 1.6rem 0 0; padding: 0; }
.facts div { margin: 0; } .facts dt { font: .74rem/1.35 var(--sans); color: var(--soft); }
.facts dd { margin: 0; font: 600 1.12rem/1.4 var(--sans); font-variant-numeric: tabular-nums; }
nav { font: .85rem/1.9 var(--sans); } nav a { text-decoration: none; margin-right: 1.1rem;
  white-space: nowrap; } nav a:hover { text-decoration: underline; }
.verdict { color: var(--accent); }
.warning { border-left: 4px solid var(--c1); background: var(--wash); padding: .7rem 1rem;
  font: .9rem/1.5 var(--sans); max-width: 52rem; }
.scroll { overflow-x: auto; margin: 1.2rem 0 0; }
table { border-collapse: separate; border-spacing: 0; font: .9rem/1.35 var(--sans);
  font-variant-numeric: tabular-nums lining-nums; border-top: 2px solid var(--ink);
  border-bottom: 2px solid var(--ink); }
th, td { padding: .5rem .95rem .5rem 0; text-align: right; vertical-align: baseline;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--paper); padding-right: 1.3rem; }
thead th { font-weight: 600; border-bottom: 1px solid var(--ink); vertical-align: bottom; }
thead small { display: block; font-weight: 400; color: var(--soft); }
tbody th { font-weight: 500; text-align: left; } th.name { text-align: left; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
td .value { font-size: 1.24em; } td .spread { color: var(--soft); font-size: .92em; }
td small { display: block; color: var(--soft); font-size: .82em; line-height: 1.35; }
td.best .value { font-weight: 700; } td.best .value::before { content: "▸ "; font-size: .8em;
  color: var(--accent); }
.weak { opacity: .5; }
.swatch { display: inline-block; width: .72em; height: .72em; border-radius: 50%;
  margin-right: .5em; background: currentColor; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
.c6 { color: var(--c6); } .c7 { color: var(--c7); } .muted { color: var(--muted); }
.ink { color: var(--ink); }
figure { margin: 2.2rem 0 0; font-family: var(--sans); }
figure h3 { font: 600 1rem/1.3 var(--sans); margin: 0 0 .3rem; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.3rem; margin: 0 0 .5rem; padding: 0;
  list-style: none; font-size: .85rem; max-width: none; }
.legend li { margin: 0; white-space: nowrap; }
.stroke { display: inline-block; width: 1.7em; border-top: 3px solid; vertical-align: middle;
  margin-right: .5em; } .stroke.dashed { border-top: 2px dashed; }
.cell, .dot { display: inline-block; vertical-align: middle; margin-right: .4em; }
.cell { border: .5em solid; } .dot { border: .3em solid; border-radius: 50%; }
.panels { display: grid; gap: .6rem 1.4rem;
  grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }
.panels.wide { grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
.panels h4 { font: 600 .84rem/1.3 var(--sans); color: var(--soft); margin: .3rem 0 .1rem; }
.panels svg { display: block; width: 100%; height: auto; max-width: 34rem; overflow: visible; }
.panels svg text { font-family: var(--sans); }
figcaption, .caption { font: .86rem/1.5 var(--sans); color: var(--soft); max-width: 52rem;
  margin: .6rem 0 0; }
figcaption b, .caption b { color: var(--ink); font-weight: 600; }
details { margin: 1rem 0; } summary { cursor: pointer; font: 600 .92rem/1.5 var(--sans); }
pre { background: var(--wash); border: 1px solid var(--line); padding: .9rem 1rem;
  overflow-x: auto; font: .8rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }
code { font: .86em ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
dl.machine { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem;
  font: .85rem/1.5 var(--sans); margin: .6rem 0; }
dl.machine dt { color: var(--soft); } dl.machine dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 4rem; border-top: 1px solid var(--line); padding-top: .8rem;
  font: .82rem/1.5 var(--sans); color: var(--soft); }
@media (max-width: 40rem) {
  body { font-size: 16px; } main { padding: 1.6rem 1rem 3rem; }
  th, td { padding-right: .8rem; } h2 { margin-top: 2.6rem; }
  dl.machine { grid-template-columns: 1fr; } dl.machine dd { margin-bottom: .4rem; }
}
@media print {
  @page { size: A4; margin: 16mm 15mm 18mm; }
  :root { color-scheme: light; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  nav { display: none; } h2 { break-after: avoid; margin-top: 1.6rem; }
  figure h3, .legend { break-after: avoid; } figcaption { break-before: avoid; }
  .panels, .panels.wide { grid-template-columns: repeat(2, 1fr); gap: .3rem .8rem; }
  .panels > div, tr, .warning, li { break-inside: avoid; }
  .scroll { overflow: visible; } table { font-size: 7.5pt; }
  td .spread { display: block; } th, td { padding-right: 7pt; }
  th:first-child, td:first-child { position: static; } pre { white-space: pre-wrap; font-size: 7pt; }
  a { color: inherit; text-decoration: none; }
}
)css";

}  // namespace basis
