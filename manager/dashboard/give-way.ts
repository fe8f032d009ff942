// Lets whoever does the job's work go first where processors are scarce: a page may wait, results may not.
import { setPriority } from 'node:os'

const NICE = 5 // a third of the share of others, while all want to run

/** Of this process, for as long as it lives. */
export function giveWay(): void {
  try {
    setPriority(0, NICE)
  } catch {
    // A system that does not allow it: everybody is as important as everybody else.
  }
}
