// The folder of one local VM: its disk, and the place where the world outside and the VM's host leave notes for each other.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type VmId, vmId } from '../../core/ids.ts'

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

const factsSchema = z.object({
  id: z.string().transform(vmId),
  instanceType: z.string(),
  region: z.string(),
  zone: z.string(),
  spot: z.boolean(),
  bootSeconds: z.number(),
  noticeSeconds: z.number(),
  preemptedAfterSeconds: z.number().optional(),
})
const noticeSchema = z.object({ deadlineAt: z.iso.datetime() })

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

  get startupScript(): string {
    return this.file('startup.sh')
  }

  /** Standard output and error of everything that ran; the older half is in `console.1.log`. */
  get console(): string {
    return this.file('console.log')
  }

  writeFacts(facts: VmFacts): void {
    this.#replace('vm.json', JSON.stringify(facts))
  }

  readFacts(): VmFacts {
    return factsSchema.parse(JSON.parse(readFileSync(this.file('vm.json'), 'utf8')))
  }

  writeNotice(deadlineAt: Date): void {
    this.#replace('notice.json', JSON.stringify({ deadlineAt: deadlineAt.toISOString() }))
  }

  /** When the VM will be killed; undefined while nobody wants its capacity back. */
  readNotice(): Date | undefined {
    const path = this.file('notice.json')
    if (!existsSync(path)) return undefined
    return new Date(noticeSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).deadlineAt)
  }

  request(what: VmRequest): void {
    writeFileSync(this.file(what), '')
  }

  requested(what: VmRequest): boolean {
    return existsSync(this.file(what))
  }

  /** Readers see the old content or the new one, never a part. */
  #replace(name: string, content: string): void {
    const temporary = this.file(`.${name}.${process.pid}`)
    writeFileSync(temporary, content)
    renameSync(temporary, this.file(name))
  }
}
