// What every measurement is told: how much, how often, and whose numbers to hold against ours.

export interface Context {
  readonly sizes: Sizes
  /** Counted rounds; one more warms up. */
  readonly repeats: number
  readonly peers: PeerNumbers
  /** Says what is being measured now. */
  readonly say: (sentence: string) => void
}

export interface Sizes {
  readonly pipeTrips: number
  readonly pipeLines: number
  readonly sqliteRows: number
  readonly tasks: number
  /** Whole jobs whose programs are watched for their memory. */
  readonly bigJobs: readonly number[]
  readonly piscinaTasks: number
  readonly bullmqInlineTasks: number
  readonly bullmqSandboxedTasks: number
  readonly graphileTasks: number
  /** 0 = leave the Python system out: its environment alone takes longer to make than a quick run. */
  readonly pythonTasks: number
  readonly preemptions: number
  readonly kills: number
  readonly starts: number
}

/** Per second, by the peer's name; empty where it is not there. */
export interface PeerNumbers {
  readonly run: ReadonlyMap<string, number>
  readonly load: ReadonlyMap<string, number>
}

export const QUICK: Sizes = {
  pipeTrips: 5000,
  pipeLines: 200_000,
  sqliteRows: 50_000,
  tasks: 50_000,
  bigJobs: [20_000],
  piscinaTasks: 20_000,
  bullmqInlineTasks: 5000,
  bullmqSandboxedTasks: 2000,
  graphileTasks: 5000,
  pythonTasks: 0,
  preemptions: 3,
  kills: 1,
  starts: 3,
}

export const FULL: Sizes = {
  pipeTrips: 20_000,
  pipeLines: 1_000_000,
  sqliteRows: 300_000,
  tasks: 400_000,
  bigJobs: [1_000_000],
  piscinaTasks: 200_000,
  bullmqInlineTasks: 50_000,
  bullmqSandboxedTasks: 10_000,
  graphileTasks: 50_000,
  pythonTasks: 20,
  preemptions: 25,
  kills: 5,
  starts: 15,
}
