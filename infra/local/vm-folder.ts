// The folder of one local VM: its disk, and the place where the world outside and the VM's host leave notes for each other.
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { VmId } from '../../core/ids.ts'

/** How a process finds out on which local VM it runs: the metadata service of this cloud. Inherited by all its processes. */
export const VM_ID_VARIABLE = 'CLOUD_TASKS_LOCAL_VM_ID'
export const VM_FOLDER_VARIABLE = 'CLOUD_TASKS_LOCAL_VM_DIR'

/** What is fixed for the VM's life. */
export interface VmFacts {
  readonly id: VmId
  readonly instanceType: string
  readonly region: string
  readonly zone: string
  readonly spot: boolean
  readonly bootSeconds: number
  readonly noticeSeconds: number
  /** From the end of the boot; undefined = never. Drawn at launch, so that a seed decides. */
  readonly preemptedAfterSeconds?: number | undefined
}

/** Asked of the VM's host by whoever writes the file. */
export type VmRequest = 'preempt' | 'power-off'

export class VmFolder {
  readonly path: string

  constructor(root: string, id: string) {
    this.path = join(root, 'vms', id)
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Standard output and error of everything that ran; the older half is in `console.1.log`. */
  get console(): string {
    return this.file('console.log')
  }

  writeFacts(facts: VmFacts): void {
    this.write('vm.json', JSON.stringify(facts))
  }

  readFacts(): VmFacts {
    return parseWritten<VmFacts>(this.file('vm.json'))
  }

  writeNotice(deadlineAt: Date): void {
    const notice: WrittenNotice = { deadlineAt: deadlineAt.toISOString() }
    this.write('notice.json', JSON.stringify(notice))
  }

  /** When the VM will be killed; undefined while nobody wants its capacity back. */
  readNotice(): Date | undefined {
    const path = this.file('notice.json')
    if (!existsSync(path)) return undefined
    return new Date(parseWritten<WrittenNotice>(path).deadlineAt)
  }

  request(what: VmRequest): void {
    writeFileSync(this.file(what), '')
  }

  requested(what: VmRequest): boolean {
    return existsSync(this.file(what))
  }

  /** Readers, and launchers that write the same at once, see the old content or the new one, never a part. */
  write(name: string, content: string, { executable = false } = {}): void {
    const temporary = `${this.file(name)}.${process.pid}.part`
    writeFileSync(temporary, content)
    if (executable) chmodSync(temporary, 0o755)
    renameSync(temporary, this.file(name))
  }
}

interface WrittenNotice {
  readonly deadlineAt: string
}

/** Whole by the way it was written, so there is nothing to check; a schema library would double the host's memory. */
function parseWritten<Content>(path: string): Content {
  return JSON.parse(readFileSync(path, 'utf8')) as Content
}
