// What the stack of a job declares, resource by resource, as Pulumi's engine would be told: by Pulumi's own mocks, in this process.
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { requirePulumi, STACK_FOLDER } from '../../support/pulumi-packages.ts'

export interface Declared {
  /** Such as `gcp:pubsub/topic:Topic`. */
  readonly type: string
  /** Within the stack. */
  readonly name: string
  readonly inputs: Readonly<Record<string, unknown>>
}

interface PulumiRuntime {
  readonly runtime: {
    setMocks(mocks: object, project: string, stack: string, preview: boolean): Promise<void>
    waitForRPCs(): Promise<void>
  }
}

const resourceSchema = z.object({ type: z.string(), name: z.string(), inputs: z.record(z.string(), z.unknown()) })
const PROJECT_NUMBER = '123456789'

/** Rejects with what the component throws. */
export async function declaredBy(args: object): Promise<DeclaredStack> {
  const { runtime }: PulumiRuntime = requirePulumi('@pulumi/pulumi')
  const declared: Declared[] = []
  const mocks = {
    newResource(resource: unknown) {
      const { type, name, inputs } = resourceSchema.parse(resource)
      declared.push({ type, name, inputs })
      return { id: `${name}-id`, state: { ...inputs, ...madeUp(type, name, inputs) } }
    },
    call: () => ({ number: PROJECT_NUMBER }),
  }
  await runtime.setMocks(mocks, 'cloud-tasks', 'test', false)
  const { SpotTaskPool } = await import(`${STACK_FOLDER}/pulumi/spot-task-pool.ts`)
  try {
    new SpotTaskPool('pool', args)
    await setImmediate()
  } finally {
    await runtime.waitForRPCs()
  }
  return new DeclaredStack(declared)
}

/** What only the cloud knows. */
function madeUp(type: string, name: string, inputs: Readonly<Record<string, unknown>>): object {
  if (type.endsWith(':Account')) return { email: `${inputs.accountId}@p.iam`, name: `accounts/${inputs.accountId}` }
  if (type.endsWith(':IAMCustomRole')) return { name: `roles/${inputs.roleId}` }
  if (type.endsWith(':Service')) return { uri: `https://${name}.run.app` }
  return {}
}

export class DeclaredStack {
  readonly all: readonly Declared[]

  constructor(all: readonly Declared[]) {
    this.all = all
  }

  /** By the last part of the type, such as `Topic`. */
  ofType(type: string): readonly Declared[] {
    return this.all.filter(resource => resource.type.endsWith(`:${type}`))
  }

  inputs(name: string): Readonly<Record<string, unknown>> {
    const found = this.all.find(resource => resource.name === name)
    if (found === undefined) throw new Error(`No resource "${name}" was declared.`)
    return found.inputs
  }
}
