// What the islands read, written from the Go types by: go test ./internal/web -run TestTypes -update

export interface Drawing {
  name: string;
  state: string;
  width: number;
  height: number;
  hidden?: number;
  nodes: Box[];
  edges: Line[];
  critical?: string[];
  critical_ms?: number;
}

export interface Box {
  id: string;
  name: string;
  label: string;
  task?: string;
  task_run?: string;
  kind: string;
  state: string;
  counts?: Count[];
  in?: string;
  open?: boolean;
  seq: number;
  index: number;
  stage?: number;
  waited_ms?: number;
  ran_ms?: number;
  usual_ms?: number;
  note?: string;
  detail?: string;
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Count {
  state: string;
  n: number;
}

export interface Line {
  from: string;
  to: string;
  repeat?: boolean;
  points: number[];
}

export interface Timeline {
  t0: number;
  now: number;
  state: string;
  names: string[];
  states: string[];
  kinds: string[];
  seq: number[];
  name: number[];
  state_of: number[];
  created: number[];
  start: number[];
  end: number[];
  attempt: number[];
  waits: number[];
  workers: string[];
  worker: number[];
  turn_seq: number[];
  turn_at: number[];
  turn_state: number[];
  more: boolean;
  limits?: TimelineLimit[];
  generation: number;
}

export interface TimelineLimit {
  tag?: string;
  place?: string;
  limit: number;
}

export interface LogLine {
  line: number;
  task_run: string;
  task: string;
  attempt: number;
  time: string;
  level: string;
  text: string;
}
