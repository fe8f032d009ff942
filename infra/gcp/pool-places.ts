// Where a job's VMs can be made, and after which template. Reads only.
import { UserError } from '../../core/errors.ts'
import { vmNamePrefix } from '../../core/names.ts'
import type { GcpConnection } from './connection.ts'
import { GcpError } from './failure.ts'
import { lastPart } from './pool-vm.ts'
import { type GcpRest, type Json, listOf, objectOf } from './rest.ts'

export class GcpPlaces {
  readonly #connection: GcpConnection
  readonly #rest: GcpRest
  readonly #jobId: string
  readonly #zones = new Map<string, readonly string[]>()

  constructor(connection: GcpConnection, rest: GcpRest, jobId: string) {
    this.#connection = connection
    this.#rest = rest
    this.#jobId = jobId
  }

  /** Of all that Compute Engine has of the project. */
  async path(): Promise<string> {
    return `/compute/v1/projects/${encodeURIComponent(await this.#connection.projectId())}`
  }

  async zonesOf(region: string): Promise<readonly string[]> {
    const known = this.#zones.get(region)
    if (known !== undefined) return known
    const { zones } = await this.#rest.request('GET', `${await this.path()}/regions/${region}`)
    const names = listOf(zones).map(lastPart)
    this.#zones.set(region, names)
    return names
  }

  /** Its `properties`. Rejects with a UserError where the job's stack is not there. */
  async template(): Promise<Json> {
    const name = vmNamePrefix(this.#jobId)
    try {
      const template = await this.#rest.request('GET', `${await this.path()}/global/instanceTemplates/${name}`)
      return objectOf(template.properties)
    } catch (error) {
      if (!(error instanceof GcpError) || error.status !== 404 || !error.message.includes(name)) throw error
      throw new UserError(
        `Job "${this.#jobId}" has no stack in project ${await this.#connection.projectId()}: there is no instance template ${name}. Deploy it first (cloud-tasks deploy).`,
      )
    }
  }
}
