// The Pub/Sub fake as a process of its own, which ends with us: see pubsub-fake/main.go.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { ProviderSettings } from '../../infra/open-provider.ts'
import { goTool } from './test-tools.ts'

/** Shares of requests from 0 to 1, all 0 if absent: see pubsub-fake/faults.go. */
export interface PubSubFaults {
  readonly seed?: number
  readonly unavailable?: number
  readonly timedOut?: number
  readonly exhausted?: number
  readonly internal?: number
  readonly silent?: number
  readonly lostAnswer?: number
  readonly lostFor?: readonly string[]
  readonly duplicate?: number
  readonly transientAck?: number
  readonly latencyMs?: number
}

export interface PubSubRefusal {
  /** Such as `Publish`; absent = every request. */
  readonly method?: string
  /** gRPC's number. */
  readonly code: number
  readonly message: string
  readonly reason?: string
}

export interface PubSubFake {
  /** For `PUBSUB_EMULATOR_HOST`. */
  readonly host: string
  /** Answers for Cloud Monitoring: for `CLOUD_TASKS_GCP_MONITORING_URL`. */
  readonly monitoringUrl: string
  /** Requests so far, by method. */
  counts(): Promise<Readonly<Record<string, number>>>
  /** How often each fault has struck. */
  struck(): Promise<Readonly<Record<string, number>>>
  /** Until it is lifted by `undefined`. */
  refuse(refusal: PubSubRefusal | undefined): Promise<void>
  close(): Promise<void>
}

const ready = z.object({ host: z.string(), control: z.string() })
const counted = z.record(z.string(), z.number())

export async function startPubSubFake(faults: PubSubFaults = {}): Promise<PubSubFake> {
  const server = spawn(goTool('pubsub-fake'), [JSON.stringify(faults)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(server, 'exit')
  const line = await Promise.race([firstLine(server.stdout), exit.then(() => undefined)])
  assert.ok(line !== undefined, 'the Pub/Sub fake did not start')
  const { host, control } = ready.parse(JSON.parse(line))
  const numbers = async (path: string) => counted.parse(await (await fetch(`${control}${path}`)).json())
  return {
    host,
    monitoringUrl: control,
    counts: () => numbers('/counts'),
    struck: () => numbers('/struck'),
    async refuse(refusal) {
      const method = refusal === undefined ? 'DELETE' : 'PUT'
      const { ok } = await fetch(`${control}/refusal`, {
        method,
        ...(refusal !== undefined && { body: JSON.stringify(refusal) }),
      })
      assert.ok(ok)
    },
    async close() {
      server.stdin.end()
      await exit
    },
  }
}

/** Settings of the gcp provider for a fake; without Cloud Monitoring unless asked for. */
export function pubSubSettings(fake: PubSubFake, { monitoring = false } = {}): ProviderSettings {
  return {
    projectId: 'test-project',
    env: {
      PUBSUB_EMULATOR_HOST: fake.host,
      ...(monitoring && { CLOUD_TASKS_GCP_MONITORING_URL: fake.monitoringUrl }),
    },
  }
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface({ input: stream })) return line
  return undefined
}
