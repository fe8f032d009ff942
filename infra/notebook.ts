// Part of SEAM 1: what a manager without a disk of its own remembers of a job.

/** One text a job, which several may try to change at once: whoever read the newest version wins. */
export interface Notebook {
  /** undefined = nothing was written yet. Rejects with a UserError if the job's stack is not there. */
  read(): Promise<Note | undefined>
  /** False, and nothing is written, if somebody else has written since `version` was read. `undefined` = nothing was there. */
  write(text: string, version: string | undefined): Promise<boolean>
}

export interface Note {
  readonly text: string
  readonly version: string
}
