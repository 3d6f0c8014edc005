"""The page's style sheet: light and dark, from a phone to a wall."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--card:#f6f7f9;--ink:#1b1f24;--quiet:#575e68;
--line:#d5d9df;--link:#0a52b0;--critical:#a8071a;--critical-paper:#fdeced;--warning:#7a4b00;
--warning-paper:#fff4dc;--good:#14602f;--good-paper:#e6f4ea;--info:#23477a;--info-paper:#e9f0fa;
--unknown:#4a4f57;--unknown-paper:#eceef1}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1c2026;--ink:#e7eaee;
--quiet:#a9b1bc;--line:#363c45;--link:#8ab8ff;--critical:#ffa3a8;--critical-paper:#43151a;
--warning:#f5c76b;--warning-paper:#3a2b0c;--good:#8ddba5;--good-paper:#143420;--info:#a9c8f5;
--info-paper:#1a2b45;--unknown:#c3c9d2;--unknown-paper:#2b3038}}
*{box-sizing:border-box}
html{scroll-behavior:auto}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
header,main{max-width:110rem;margin:0 auto;padding:0 1.25rem}
header{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;align-items:baseline;padding-top:1rem}
main:focus{outline:none}
h1{font-size:1.35rem;margin:0}
h2{font-size:1.2rem;margin:2.25rem 0 .75rem}
h3{font-size:1rem;margin:0 0 .35rem;line-height:1.6}
p,li{overflow-wrap:anywhere}
p{margin:.35rem 0}
header p{margin:0}
ul{margin:.35rem 0;padding-left:1.25rem}
a{color:var(--link)}
nav{display:flex;flex-wrap:wrap;gap:.35rem 1.1rem}
header nav{margin-left:auto}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100vw;top:0;padding:.5rem 1rem;background:var(--paper);z-index:1}
.skip:focus{left:0}
.quiet{color:var(--quiet)}
.name,.code{font-weight:600}
bdi,code{overflow-wrap:anywhere}
td>span{display:inline-block;max-width:10rem;overflow-wrap:break-word}
td bdi{overflow-wrap:break-word}
code{font:.92em/1.5 ui-monospace,monospace;background:var(--unknown-paper);padding:.1rem .35rem;
border-radius:.25rem}
.alarm,.entry{border-left:.4rem solid var(--line);border-radius:.3rem;padding:.7rem 1rem;
margin:.75rem 0;background:var(--card)}
.alarm{font-weight:600}
.alarm.critical,.entry.critical{border-color:var(--critical);background:var(--critical-paper)}
.alarm.warning,.entry.warning{border-color:var(--warning)}
.alarm.warning{background:var(--warning-paper)}
.alarm.info,.entry.info{border-color:var(--info)}
.fine{border-left:.4rem solid var(--good);background:var(--good-paper);color:var(--good);
padding:.7rem 1rem;border-radius:.3rem}
.mark{display:inline-block;border-radius:.25rem;padding:0 .4rem;font-size:.86rem;font-weight:600;
white-space:nowrap;background:var(--unknown-paper);color:var(--unknown)}
.mark.critical{background:var(--critical);color:var(--paper)}
.mark.warning{background:var(--warning-paper);color:var(--warning)}
.mark.good{background:var(--good-paper);color:var(--good)}
.mark.info{background:var(--info-paper);color:var(--info)}
.counts{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:1rem 0}
.counts a{display:block;padding:.4rem .8rem;border:1px solid var(--line);border-radius:.4rem;
color:var(--ink);text-decoration:none;background:var(--card)}
.counts a:hover{border-color:var(--link);text-decoration:underline}
.counts b{font-size:1.3rem;margin-right:.2rem;font-variant-numeric:tabular-nums}
.counts .critical{background:var(--critical-paper);border-color:var(--critical);
color:var(--critical)}
.counts .warning{background:var(--warning-paper);border-color:var(--warning);color:var(--warning)}
summary{cursor:pointer;padding:.35rem 0;color:var(--link);overflow-wrap:anywhere}
.notes>summary{margin-top:1rem}
.members,.answers{padding-left:1.1rem}
.members li{margin:.6rem 0}
.answers li{margin:.35rem 0}
form{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;margin:.75rem 0 1rem}
form div{display:flex;flex-direction:column;min-width:0}
label{font-size:.86rem;color:var(--quiet)}
input,select,button{font:inherit;color:inherit;background:var(--paper);padding:.4rem .5rem;
border:1px solid var(--quiet);border-radius:.3rem;max-width:100%;min-height:2.4rem}
select{max-width:14rem}
button{background:var(--link);border-color:var(--link);color:var(--paper);font-weight:600;
padding:.4rem 1.1rem;cursor:pointer}
form>a{padding:.5rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;color:var(--quiet);padding:.25rem 0 .5rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .6rem .5rem 0;
border-bottom:1px solid var(--line)}
thead th{white-space:nowrap;border-bottom:2px solid var(--line)}
tbody th{font-weight:400;min-width:12rem}
tbody tr.critical th{box-shadow:inset .25rem 0 var(--critical);padding-left:.6rem}
tbody tr.warning th{box-shadow:inset .25rem 0 var(--warning);padding-left:.6rem}
tbody tr:hover{background:var(--card)}
td time{white-space:nowrap}
.pages{margin:1rem 0;gap:1.25rem;align-items:center}
.pages a{padding:.3rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.25rem;margin:1.25rem 0}
dt{color:var(--quiet)}
dd{margin:0;overflow-wrap:anywhere}
.links{margin:1.5rem 0 3rem}
.links a{margin-right:1rem}
@media (min-width:100rem){td>span{max-width:20rem}}
@media (max-width:72rem){
table,tbody,tr,th,td,caption{display:block;width:100%}
thead{display:none}
tbody tr{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem;margin:.6rem 0;
background:var(--card)}
tbody th,tbody td{border:0;padding:.15rem 0}
tbody th{margin-bottom:.25rem}
td[data-title]{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.5rem}
td>span{max-width:none;min-width:0}
td bdi{overflow-wrap:anywhere}
td[data-title]::before{content:attr(data-title);color:var(--quiet)}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.6rem}
}
@media (max-width:40rem){
header nav{margin-left:0}
form div,form div>*{width:100%;max-width:none}
form div{flex:1 1 9rem}
button{width:100%}
}
"""
