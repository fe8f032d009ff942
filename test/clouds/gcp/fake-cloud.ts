// Google's cloud as far as the fakes go: what the engine is told to make appears in the fakes of Pub/Sub, Cloud Storage and
// Compute Engine. Accounts, permissions, alerts and the manager's service have no fake: of these it only knows that they are there.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { PubSub } from '@google-cloud/pubsub'
import { z } from 'zod'
import type { GceFake } from '../../support/gce-fake.ts'
import type { GcsServer } from '../../support/gcs-server.ts'
import type { PubSubFake } from '../../support/pubsub-fake.ts'
import type { EngineCloud, Inputs, Made } from '../../support/pulumi-engine.ts'

export const PROJECT = 'test-project'

interface Fakes {
  readonly pubsub: PubSubFake
  readonly storage: GcsServer
  readonly compute: GceFake
}

const named = z.object({ name: z.string() })
const subscription = named.extend({
  topic: z.string(),
  ackDeadlineSeconds: z.number(),
  messageRetentionDuration: z.string(),
  enableExactlyOnceDelivery: z.boolean(),
  deadLetterPolicy: z.object({ deadLetterTopic: z.string(), maxDeliveryAttempts: z.number() }).optional(),
})
const bucketObject = named.extend({ bucket: z.string(), source: z.object({ path: z.string() }) })
const disk = z.looseObject({ diskSizeGb: z.number(), diskType: z.string(), sourceImage: z.string() })
const template = named.extend({
  machineType: z.string(),
  description: z.string(),
  disks: z.array(disk),
  networkInterfaces: z.array(z.looseObject({ accessConfigs: z.array(z.object({ networkTier: z.string() })) })),
  scheduling: z.looseObject({ maxRunDuration: z.object({ seconds: z.number() }).optional() }),
  serviceAccount: z.object({ email: z.string(), scopes: z.array(z.string()) }),
  shieldedInstanceConfig: z.record(z.string(), z.boolean()),
  metadata: z.record(z.string(), z.string()),
  labels: z.record(z.string(), z.string()),
  tags: z.array(z.string()),
})

export class FakeCloud implements EngineCloud {
  /** `type name` of all that is there. */
  readonly there = new Set<string>()
  readonly #fakes: Fakes
  readonly #pubsub: PubSub

  constructor(fakes: Fakes) {
    this.#fakes = fakes
    this.#pubsub = new PubSub({ projectId: PROJECT, apiEndpoint: fakes.pubsub.host, emulatorMode: true })
  }

  async create(type: string, name: string, inputs: Inputs): Promise<Made> {
    const made = await this.#make(kindOf(type), name, inputs)
    this.there.add(`${kindOf(type)} ${made.id}`)
    return made
  }

  async remove(type: string, id: string, inputs: Inputs): Promise<void> {
    const kind = kindOf(type)
    assert.ok(this.there.delete(`${kind} ${id}`), `${kind} ${id} is not there`)
    if (kind === 'Topic') await this.#pubsub.topic(id).delete()
    if (kind === 'Subscription') await this.#pubsub.subscription(id).delete()
    if (kind === 'Bucket') await this.#emptyAndDelete(id)
    if (kind === 'BucketObject') await this.#storage('DELETE', `/b/${inputs.bucket}/o/${encodeURIComponent(id)}`)
    if (kind === 'InstanceTemplate') await this.#compute('DELETE', `/${id}`)
  }

  invoke(name: string): Inputs {
    assert.equal(name, 'gcp:organizations/getProject:getProject')
    return { number: '123456789', projectId: PROJECT }
  }

  async close(): Promise<void> {
    await this.#pubsub.close()
  }

  async #make(kind: string, name: string, inputs: Inputs): Promise<Made> {
    switch (kind) {
      case 'Topic': {
        const [topic] = await this.#pubsub.createTopic(named.parse(inputs).name)
        return { id: topic.name }
      }
      case 'Subscription':
        return { id: await this.#makeSubscription(inputs) }
      case 'Bucket': {
        const { name: bucket } = named.parse(inputs)
        await this.#fakes.storage.createBucket(bucket)
        return { id: bucket }
      }
      case 'BucketObject': {
        const object = bucketObject.parse(inputs)
        await this.#fakes.storage.put(object.bucket, object.name, await readFile(object.source.path))
        return { id: object.name }
      }
      case 'InstanceTemplate': {
        const { name: id } = named.parse(inputs)
        await this.#compute('POST', '', { name: id, properties: templateProperties(inputs) })
        return { id }
      }
      case 'Account': {
        const email = `${inputs.accountId}@${PROJECT}.iam.gserviceaccount.com`
        return { id: email, outputs: { email, name: `projects/${PROJECT}/serviceAccounts/${email}` } }
      }
      case 'IAMCustomRole':
        return { id: name, outputs: { name: `projects/${PROJECT}/roles/${inputs.roleId}` } }
      case 'Service':
        return { id: name, outputs: { uri: 'https://manager.example' } }
      default:
        return { id: typeof inputs.name === 'string' ? inputs.name : name }
    }
  }

  async #makeSubscription(inputs: Inputs): Promise<string> {
    const { name, topic, messageRetentionDuration, deadLetterPolicy, ...settings } = subscription.parse(inputs)
    const [made] = await this.#pubsub.createSubscription(topic, name, {
      ackDeadlineSeconds: settings.ackDeadlineSeconds,
      messageRetentionDuration: { seconds: Number.parseInt(messageRetentionDuration, 10) },
      enableExactlyOnceDelivery: settings.enableExactlyOnceDelivery,
      ...(deadLetterPolicy && { deadLetterPolicy }),
    })
    return made.name
  }

  async #emptyAndDelete(bucket: string): Promise<void> {
    const listed = z.object({ items: z.array(named).default([]) })
    const { items } = listed.parse(await (await this.#storage('GET', `/b/${bucket}/o`)).json())
    for (const { name } of items) await this.#storage('DELETE', `/b/${bucket}/o/${encodeURIComponent(name)}`)
    await this.#storage('DELETE', `/b/${bucket}`)
  }

  #storage(method: string, path: string): Promise<Response> {
    return request(method, `${this.#fakes.storage.endpoint}/storage/v1${path}`)
  }

  #compute(method: string, path: string, body?: object): Promise<Response> {
    const templates = `${this.#fakes.compute.endpoint}/compute/v1/projects/${PROJECT}/global/instanceTemplates`
    return request(method, `${templates}${path}`, body)
  }
}

/** As Compute Engine's API has it, where Pulumi's provider has other words: https://cloud.google.com/compute/docs/reference/rest/v1/instanceTemplates */
function templateProperties(inputs: Inputs): object {
  const {
    name: _,
    disks,
    networkInterfaces,
    scheduling,
    serviceAccount,
    metadata,
    tags,
    ...same
  } = template.parse(inputs)
  const { maxRunDuration, ...rules } = scheduling
  return {
    ...same,
    disks: disks.map(
      ({ diskSizeGb, diskType, sourceImage, labels, provisionedIops, provisionedThroughput, ...disk }) => ({
        ...disk,
        initializeParams: {
          ...{ diskSizeGb: String(diskSizeGb), diskType, sourceImage, labels },
          ...(provisionedIops !== undefined && { provisionedIops }),
          ...(provisionedThroughput !== undefined && { provisionedThroughput }),
        },
      }),
    ),
    networkInterfaces: networkInterfaces.map(({ accessConfigs, ...network }) => ({
      ...network,
      accessConfigs: accessConfigs.map(config => ({ type: 'ONE_TO_ONE_NAT', name: 'External NAT', ...config })),
    })),
    scheduling: { ...rules, ...(maxRunDuration && { maxRunDuration: { seconds: String(maxRunDuration.seconds) } }) },
    serviceAccounts: [serviceAccount],
    metadata: { items: Object.entries(metadata).map(([key, value]) => ({ key, value })) },
    tags: { items: tags },
  }
}

async function request(method: string, url: string, body?: object): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: { authorization: 'Bearer emulator', 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  return response
}

/** `Topic` of `gcp:pubsub/topic:Topic`. */
function kindOf(type: string): string {
  return type.split(':').at(-1) ?? type
}
