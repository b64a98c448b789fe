// Package graphview draws runs and pipelines: it turns a plain description of
// what there is and what comes after what into pictures, without knowing engines
// or stores.
//
// A [Graph] is the description: nodes, some of which stand in others. [FromPlan]
// makes one of a pipeline that has not run, [FromRun] of a run. [Collapse] gives
// the graph that is shown: one node for each task name or group, with counts by
// state, but for what is open. [Lay] gives places to its nodes and ways to its
// edges. [Text], [Tree], [Mermaid] and [DOT] write a graph, [Drawing.SVG] a
// drawing; the JSON form of a drawing is what a browser draws from.
//
// The same graph always gives the same picture, and a graph that has grown at its
// end the same with something added: the order of nodes is that of their numbers,
// layers count from the start, and nothing is centred on what may still grow.
//
// It is pure: it knows neither clocks nor files. Time that has passed is in the
// description.
package graphview
