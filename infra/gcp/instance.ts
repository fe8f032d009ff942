// This Compute Engine VM, seen from inside: who it is, whether it is about to be taken away, and its end.
import { hostname } from 'node:os'
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { vmId } from '../../core/ids.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Instance, InstanceInfo, Notice } from '../provider.ts'
import { shutDown } from '../shut-down.ts'
import { GcpConnection } from './connection.ts'
import { InstanceMetadata, NoMetadata } from './instance-metadata.ts'
import { regionOfZone } from './pool-request.ts'
import { lastPart } from './pool-vm.ts'
import { GcpRest, objectOf, textOf } from './rest.ts'
import { powerOffRequestId } from './vm-labels.ts'

const WAIT_SECONDS = 10 // of one question for a preemption; its answer comes at once when there is one
const RETRY_MS = 1000
const PREEMPTION_SECONDS = 30 // https://cloud.google.com/compute/docs/instances/spot#preemption-process
const MAINTENANCE_SECONDS = 60 // https://cloud.google.com/compute/docs/metadata/getting-live-migration-notice
const DESCRIBE_MS = 5_000
const DELETE_MS = 20_000

export class GcpInstance implements Instance {
  readonly #settings: ProviderSettings
  readonly #metadata: InstanceMetadata
  readonly #waitSeconds: number
  /** By what it was told by: the same for whoever asks later. */
  readonly #deadlines = new Map<string, Date>()

  constructor(settings: ProviderSettings, { waitSeconds = WAIT_SECONDS }: { readonly waitSeconds?: number } = {}) {
    this.#settings = settings
    this.#metadata = new InstanceMetadata(settings)
    this.#waitSeconds = waitSeconds
  }

  /** Its id is its name, as in the Python system. Off Compute Engine only a name for this machine. Bounded: 5 s. */
  async describe(): Promise<InstanceInfo> {
    try {
      const limit = AbortSignal.timeout(DESCRIBE_MS)
      const read = async (path: string) => (await this.#metadata.read(`instance/${path}`, limit)).text?.trim()
      const name = await read('name')
      if (!name) throw new Error('The metadata server of this VM gives it no name.')
      const [machineType, zonePath, preemptible] = [
        await read('machine-type'),
        await read('zone'),
        await read('scheduling/preemptible'),
      ]
      const zone = zonePath && lastPart(zonePath)
      return {
        id: vmId(name),
        ...(machineType && { instanceType: lastPart(machineType) }),
        ...(zone && { region: regionOfZone(zone), zone }),
        ...(preemptible && { spot: preemptible === 'TRUE' }),
      }
    } catch (error) {
      if (error instanceof NoMetadata && !this.#metadata.answered) return { id: vmId(hostname()) }
      throw error
    }
  }

  async *notices(signal: AbortSignal): AsyncIterable<Notice> {
    const told = new Set<string>()
    let etag: string | undefined
    while (!signal.aborted) {
      const preempted = await this.#look('instance/preempted', etag, signal)
      const maintenance = await this.#look('instance/maintenance-event', undefined, signal)
      etag = preempted?.etag
      const signs = [
        ...(preempted?.text === 'TRUE' ? [['preempted', PREEMPTION_SECONDS] as const] : []),
        // The others are live migrations, of which nothing is felt.
        ...(maintenance?.text === 'TERMINATE_ON_HOST_MAINTENANCE'
          ? [['maintenance', MAINTENANCE_SECONDS] as const]
          : []),
      ]
      for (const [sign, seconds] of signs) {
        if (told.has(sign)) continue
        told.add(sign)
        yield { kind: 'preemption', deadlineAt: this.#deadline(sign, seconds) }
      }
      if (etag === undefined) await systemClock.sleep(RETRY_MS, signal)
    }
  }

  /** By deletion, because the disk of a VM that is only shut down stays and costs money. Off Compute Engine nothing happens. */
  async powerOff(): Promise<void> {
    if (!(await this.#onVm())) return
    const failures: string[] = []
    try {
      await this.#deleteItself()
      return
    } catch (error) {
      failures.push(`deleting it: ${messageOf(error)}`)
    }
    const shutDownFailures = await shutDown()
    if (shutDownFailures.length === 0) return
    failures.push(...shutDownFailures)
    throw new Error(`This VM cannot end itself, delete it in the Compute Engine console: ${failures.join('; ')}.`)
  }

  async #deleteItself(): Promise<void> {
    const signal = AbortSignal.timeout(DELETE_MS)
    const read = async (path: string) => (await this.#metadata.read(path, signal)).text ?? ''
    const [name, zone] = [await read('instance/name'), lastPart(await read('instance/zone'))]
    const projectId = (await read('project/project-id')) || this.#settings.projectId
    const token = textOf(objectOf(JSON.parse(await read('instance/service-accounts/default/token'))).access_token)
    if (token === undefined) throw new Error('its service account has no token')
    const env = { ...this.#settings.env, GOOGLE_OAUTH_ACCESS_TOKEN: token }
    const rest = new GcpRest(new GcpConnection({ ...this.#settings, env }), 'COMPUTE')
    await rest.request('DELETE', `/compute/v1/projects/${projectId}/zones/${zone}/instances/${name}`, {
      query: { requestId: powerOffRequestId(name) },
      signal,
    })
  }

  async #onVm(): Promise<boolean> {
    try {
      if (!this.#metadata.answered) await this.describe()
    } catch (error) {
      if (!this.#metadata.answered) throw error // else it is a VM, whatever else its metadata server cannot tell
    }
    return this.#metadata.answered
  }

  /** With an `etag` the answer waits for another value. A failure to look is no notice: the next look comes soon. */
  async #look(path: string, etag: string | undefined, signal: AbortSignal) {
    try {
      if (etag === undefined) return await this.#metadata.read(path, signal)
      return await this.#metadata.readChange(path, etag, this.#waitSeconds, signal)
    } catch {
      return undefined
    }
  }

  /** The server tells that it comes, and not when: it is counted from when it was first heard. */
  #deadline(sign: string, seconds: number): Date {
    const known = this.#deadlines.get(sign) ?? new Date(systemClock.now() + seconds * 1000)
    this.#deadlines.set(sign, known)
    return known
  }
}
