/** How large the loads are. */
export interface Scale {
  /** How long people type or move, in the loads that go by time. */
  readonly seconds: number
  /**
   * How long people have typed before anything counts. V8's compilers take half of a server's CPU time at first, and a
   * fifth after 15 s, for what is done a few hundred times a second. A server that has run for a minute pays next to nothing.
   */
  readonly warmUpSeconds: number
  /** How long the server has to rest until its work counts as done; Hocuspocus stores two seconds after the last edit. */
  readonly quietMs: number
  readonly fanOut: { readonly clients: number; readonly typing: number; readonly perSecond: number }
  readonly manyDocuments: { readonly documents: number; readonly clientsEach: number; readonly perSecond: number }
  readonly across: { readonly documents: number; readonly clientsEach: number; readonly perSecond: number }
  readonly hot: { readonly writersEach: number; readonly perSecond: number }
  /** `edits`: no more than these of each trace. */
  readonly trace: { readonly edits: number; readonly joiners: number }
  /** `restSeconds`: V8 takes some 30 s to shrink its young generation, and Hocuspocus cuts who is silent for 60 s. */
  readonly idle: { readonly connections: number; readonly documents: number; readonly restSeconds: number }
  /** `bytes`: of the encoded document. */
  readonly big: { readonly bytes: number; readonly joiners: number }
  /** `warmUp`: round trips of each client before anything counts. */
  readonly echo: { readonly clients: number; readonly warmUp: number; readonly roundTrips: number }
  readonly presence: { readonly users: number }
  /** `restSeconds`: as for `idle`. */
  readonly watchers: { readonly connections: number; readonly perSecond: number; readonly restSeconds: number }
  readonly patch: { readonly inFlight: number; readonly roundTrips: number }
}

export const FULL: Scale = {
  seconds: 10,
  warmUpSeconds: 30,
  quietMs: 2_500,
  fanOut: { clients: 200, typing: 20, perSecond: 10 },
  manyDocuments: { documents: 300, clientsEach: 3, perSecond: 5 },
  across: { documents: 10, clientsEach: 2, perSecond: 2 },
  hot: { writersEach: 50, perSecond: 5 },
  trace: { edits: Number.POSITIVE_INFINITY, joiners: 100 },
  idle: { connections: 4_000, documents: 400, restSeconds: 45 },
  big: { bytes: 12_000_000, joiners: 150 },
  echo: { clients: 50, warmUp: 500, roundTrips: 1_000 },
  presence: { users: 500 },
  watchers: { connections: 5_000, perSecond: 10, restSeconds: 45 },
  patch: { inFlight: 50, roundTrips: 500 },
}

/** Small enough for a test of the bench itself. */
export const SMOKE: Scale = {
  seconds: 1,
  warmUpSeconds: 1,
  quietMs: 250,
  fanOut: { clients: 10, typing: 3, perSecond: 10 },
  manyDocuments: { documents: 5, clientsEach: 3, perSecond: 5 },
  across: { documents: 2, clientsEach: 2, perSecond: 5 },
  hot: { writersEach: 3, perSecond: 5 },
  trace: { edits: 1_000, joiners: 5 },
  idle: { connections: 50, documents: 5, restSeconds: 0.5 },
  big: { bytes: 300_000, joiners: 5 },
  echo: { clients: 5, warmUp: 5, roundTrips: 10 },
  presence: { users: 20 },
  watchers: { connections: 30, perSecond: 10, restSeconds: 0.5 },
  patch: { inFlight: 5, roundTrips: 10 },
}
