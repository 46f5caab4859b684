"""An interactive page: posterior arms for a target that the reader moves."""

import json

import numpy as np

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Planar arm: posterior of the joint angles</title>
<style>
body{font-family:sans-serif;max-width:46em;margin:1em auto;padding:0 1em;color:#222}
canvas{width:100%;border:1px solid #ccc;touch-action:none;cursor:crosshair}
output{font-variant-numeric:tabular-nums}
label{display:block;margin:.5em 0}
</style></head><body>
<h1 style="font-size:1.2em">Planar arm: posterior of the joint angles</h1>
<p>Drag the cross, or focus the picture and use the arrow keys. Each thin line is one posture that the flow believes puts
the end of the arm at the cross; orange dots are where these postures really end. Samples were computed beforehand on a
grid of targets, and the cross snaps to it.</p>
<canvas id="c" width="900" height="760" tabindex="0" role="img" aria-label="Posterior arms for the chosen target"></canvas>
<label>arms <input id="n" type="range" min="1" max="__ARMS__" value="__ARMS__"> <span id="count"></span></label>
<p><output id="o" aria-live="polite"></output></p>
<script id="data" type="application/json">__DATA__</script>
<script>
"use strict";
const d=JSON.parse(document.getElementById("data").textContent),c=document.getElementById("c"),g=c.getContext("2d");
const slider=document.getElementById("n"),A=d.y1.length,B=d.y2.length,K=d.arms;
let i=__I__,j=__J__;
const X0=-0.4,X1=2.15,Y0=-1.75,Y1=1.75,S=Math.min(c.width/(X1-X0),c.height/(Y1-Y0));
const px=x=>(x-X0)*S,py=y=>c.height-(y-Y0)*S;
function arm(k){const o=((i*B+j)*K+k)*4;let a=0,x=0,y=d.x[o]/1000;const p=[[x,y]];
 for(let s=0;s<3;s++){a+=d.x[o+1+s]/1000;x+=d.lengths[s]*Math.cos(a);y+=d.lengths[s]*Math.sin(a);p.push([x,y]);}return p;}
function draw(){const n=+slider.value;g.clearRect(0,0,c.width,c.height);
 g.strokeStyle="#ddd";g.lineWidth=6;g.beginPath();g.moveTo(px(0),0);g.lineTo(px(0),c.height);g.stroke();
 g.fillStyle="#bbb";for(const a of d.y1)for(const b of d.y2){g.beginPath();g.arc(px(a),py(b),1.5,0,7);g.fill();}
 let sum=0;const ends=[];
 for(let k=0;k<n;k++){const p=arm(k);g.strokeStyle="rgba(0,114,178,0.45)";g.lineWidth=1.3;g.beginPath();
  p.forEach((q,s)=>s?g.lineTo(px(q[0]),py(q[1])):g.moveTo(px(q[0]),py(q[1])));g.stroke();
  g.fillStyle="#0072B2";for(const q of p.slice(1,3)){g.beginPath();g.arc(px(q[0]),py(q[1]),2,0,7);g.fill();}
  const e=p[3];ends.push(e);sum+=Math.hypot(e[0]-d.y1[i],e[1]-d.y2[j]);}
 g.fillStyle="#E69F00";for(const e of ends){g.beginPath();g.arc(px(e[0]),py(e[1]),3,0,7);g.fill();}
 g.strokeStyle="#000";g.lineWidth=2.5;g.beginPath();const x=px(d.y1[i]),y=py(d.y2[j]);
 g.moveTo(x-9,y-9);g.lineTo(x+9,y+9);g.moveTo(x-9,y+9);g.lineTo(x+9,y-9);g.stroke();
 document.getElementById("count").textContent=n;
 document.getElementById("o").textContent="target y = ("+d.y1[i].toFixed(2)+", "+d.y2[j].toFixed(2)+
  "), mean distance of the arms' ends from it "+(sum/n).toFixed(4);}
const near=(a,v)=>a.reduce((b,t,k)=>Math.abs(t-v)<Math.abs(a[b]-v)?k:b,0);
function move(e){const r=c.getBoundingClientRect(),x=(e.clientX-r.left)*c.width/r.width,y=(e.clientY-r.top)*c.height/r.height;
 i=near(d.y1,x/S+X0);j=near(d.y2,(c.height-y)/S+Y0);draw();}
c.addEventListener("pointerdown",e=>{c.setPointerCapture(e.pointerId);move(e);});
c.addEventListener("pointermove",e=>{if(e.buttons)move(e);});
c.addEventListener("keydown",e=>{const m={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,1],ArrowDown:[0,-1]}[e.key];
 if(!m)return;e.preventDefault();i=Math.max(0,Math.min(A-1,i+m[0]));j=Math.max(0,Math.min(B-1,j+m[1]));draw();});
slider.addEventListener("input",draw);draw();
</script></body></html>
"""


def page(evaluation) -> str:
    """Return the page as one HTML text that needs no network; postures are stored in steps of 0.001."""
    arrays = evaluation.arrays
    y1, y2, x = arrays["explorer_y1"], arrays["explorer_y2"], arrays["explorer_x"]
    data = {
        "y1": np.round(y1, 4).tolist(),
        "y2": np.round(y2, 4).tolist(),
        "lengths": arrays["lengths"].tolist(),
        "arms": x.shape[2],
        "x": np.rint(1000.0 * x).astype(int).ravel().tolist(),
    }
    start = np.abs(y1 - 1.5).argmin(), np.abs(y2).argmin()
    fields = {"ARMS": x.shape[2], "I": start[0], "J": start[1], "DATA": json.dumps(data, separators=(",", ":"))}
    text = TEMPLATE
    for name, value in fields.items():
        text = text.replace(f"__{name}__", str(value))
    return text
