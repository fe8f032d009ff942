// Brings the stack of one job up, down, or says what that would change. Each may be killed anywhere and repeated:
// CloudFormation goes on by itself, and the next call waits for it.
import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CloudFormationClient,
  CreateStackCommand,
  type CreateStackCommandInput,
  DeleteStackCommand,
  GetTemplateCommand,
  type Stack,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation'
import { systemClock } from '../../core/clock.ts'
import { messageOf, UserError } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Deployment, StackChange, StackSpec } from '../stack.ts'
import { awsClientConfig } from './connection.ts'
import { awsErrorCode, awsFailure } from './failure.ts'
import { jobProgramsPrefix } from './programs.ts'
import { templateChanges } from './stack-changes.ts'
import { lookUp, refuseForeignQueues } from './stack-lookups.ts'
import { stackNameOf } from './stack-name.ts'
import { loadStackProgram } from './stack-program.ts'
import { ProgramStore, packPrograms, placeInBucket, type ReadyProgram } from './stack-programs.ts'
import { findStack, firstFailure, isStillborn, settledStack } from './stack-watch.ts'

const MAX_INLINE_BYTES = 51_200 // of a template in a request: a longer one has to lie in a bucket
const ROUNDS = 5 // others may bring the same stack up or down at the same time
const QUEUE_NAME_REST_MS = 61_000 // SQS refuses the name of a deleted queue for a minute

export class StackDeployer {
  readonly #settings: ProviderSettings
  readonly #spec: StackSpec
  readonly #name: string
  readonly #region: string
  readonly #client: CloudFormationClient

  constructor(settings: ProviderSettings, spec: StackSpec) {
    const { region } = spec.config
    const config = awsClientConfig(settings, 'CLOUDFORMATION', region === undefined ? {} : { region })
    this.#settings = settings
    this.#spec = spec
    this.#name = stackNameOf(spec.jobId)
    this.#region = config.region
    this.#client = new CloudFormationClient(config)
  }

  async preview(): Promise<readonly StackChange[]> {
    return this.#withTemplate(async ({ text }) => {
      try {
        const stack = await findStack(this.#client, this.#name)
        const before = stack === undefined || isStillborn(stack) ? undefined : await this.#deployedTemplate()
        return templateChanges(before, text)
      } catch (error) {
        throw this.#failure(error, 'looking at')
      }
    })
  }

  /** Order: objects first, then the stack that refers to them, then the objects that none refers to any more. */
  async up(): Promise<Deployment> {
    return this.#withTemplate(async ({ text, programs }) => {
      const store = this.#store()
      for (const program of programs) await store?.put(program)
      try {
        const deployment = await this.#bringUp(await this.#templateInput(text))
        await store?.removeAllBut(jobProgramsPrefix(this.#spec.jobId), new Set(programs.map(({ key }) => key)))
        return deployment
      } catch (error) {
        throw this.#failure(error, 'deploying')
      }
    })
  }

  /** Order: the stack first, then the objects that it refers to. */
  async down(): Promise<void> {
    try {
      for (let round = 1; ; round++) {
        const stack = await settledStack(this.#client, this.#name)
        if (stack === undefined) break
        const failure = await this.#delete(stack)
        // What VMs held on to may be free a little later.
        if (failure !== undefined && round >= 2) throw new UserError(`${failure} Mend it and destroy again.`)
      }
      await this.#store()?.removeAllBut(jobProgramsPrefix(this.#spec.jobId), new Set())
    } catch (error) {
      throw this.#failure(error, 'destroying')
    }
  }

  close(): void {
    this.#client.destroy()
  }

  async #bringUp(template: TemplateInput): Promise<Deployment> {
    for (let round = 1; round <= ROUNDS; round++) {
      const stack = await settledStack(this.#client, this.#name)
      if (stack !== undefined && isStillborn(stack)) {
        const failure = await this.#delete(stack)
        if (failure !== undefined) throw new UserError(failure)
        continue
      }
      const created = stack === undefined
      const settled = created ? await this.#create(template) : await this.#update(stack, template)
      if (settled !== undefined) return { outputs: outputsOf(settled), created }
    }
    throw new UserError(`Stack ${this.#name} is changed by others again and again: try again when they are done.`)
  }

  /** undefined = somebody else was first, or the name of a queue has to rest: look again. */
  async #create(template: TemplateInput): Promise<Stack | undefined> {
    await refuseForeignQueues(this.#settings, this.#region, this.#spec)
    const token = newToken()
    let stackId: string
    try {
      const answer = await this.#client.send(
        new CreateStackCommand({ ...this.#request(template, token), OnFailure: 'ROLLBACK' }),
      )
      stackId = answer.StackId ?? this.#name
    } catch (error) {
      if (awsErrorCode(error) === 'AlreadyExistsException') return undefined
      throw error
    }
    const stack = await settledStack(this.#client, stackId)
    if (stack?.StackStatus === 'CREATE_COMPLETE') return stack
    const reason = await firstFailure(this.#client, stackId, token)
    // A stack that never came up is of no use to anybody: nothing of it stays.
    if (stack !== undefined) await this.#delete(stack)
    if (/QueueDeletedRecently|wait 60 seconds after deleting/i.test(reason)) {
      await systemClock.sleep(QUEUE_NAME_REST_MS)
      return undefined
    }
    throw new UserError(`Deploying job "${this.#spec.jobId}" failed: ${reason}. Nothing of it is left.`)
  }

  /** undefined = somebody else changes it: look again. */
  async #update(stack: Stack, template: TemplateInput): Promise<Stack | undefined> {
    const stackId = stack.StackId ?? this.#name
    const token = newToken()
    try {
      await this.#client.send(new UpdateStackCommand(this.#request(template, token)))
    } catch (error) {
      if (/no updates are to be performed/i.test(messageOf(error))) return stack
      if (/_IN_PROGRESS state|does not exist/i.test(messageOf(error))) return undefined
      if (stack.StackStatus === 'UPDATE_ROLLBACK_FAILED') {
        throw new UserError(
          `Stack ${this.#name} could not be put back after an update that failed: continue its rollback in the console ` +
            'of CloudFormation, or destroy the job and deploy it again.',
          { cause: error },
        )
      }
      throw error
    }
    const settled = await settledStack(this.#client, stackId)
    if (settled?.StackStatus === 'UPDATE_COMPLETE') return settled
    const reason = await firstFailure(this.#client, stackId, token)
    throw new UserError(`Changing job "${this.#spec.jobId}" failed: ${reason}. It is as it was before.`)
  }

  /** Waits until it is gone; if it stays, says why. */
  async #delete(stack: Stack): Promise<string | undefined> {
    const stackId = stack.StackId ?? this.#name
    const token = newToken()
    await this.#client.send(new DeleteStackCommand({ StackName: stackId, ClientRequestToken: token }))
    const left = await settledStack(this.#client, stackId)
    if (left === undefined) return undefined
    const reason = await firstFailure(this.#client, stackId, token)
    return `Stack ${this.#name} cannot be deleted: ${reason}.`
  }

  #request(template: TemplateInput, token: string) {
    return {
      ...template,
      StackName: this.#name,
      Capabilities: ['CAPABILITY_IAM'],
      ClientRequestToken: token,
    } satisfies CreateStackCommandInput
  }

  async #withTemplate<Result>(work: (made: MadeTemplate) => Promise<Result>): Promise<Result> {
    const { jobId, queueName, config, manager } = this.#spec
    const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-stack-'))
    try {
      const program = await loadStackProgram()
      const ready = await packPrograms(this.#spec, folder)
      const text = program.synthesise({
        jobId,
        stackName: this.#name,
        region: this.#region,
        config: { ...config, jobId, queueName },
        manager,
        programs: placeInBucket(ready, this.#settings.bucket),
        ...(await lookUp(this.#settings, this.#region, config)),
      })
      return await work({ text, programs: Object.values(ready) })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async #templateInput(text: string): Promise<TemplateInput> {
    const byteCount = Buffer.byteLength(text)
    if (byteCount <= MAX_INLINE_BYTES) return { TemplateBody: text }
    const store = this.#store()
    if (store === undefined) {
      throw new UserError(
        `The stack's template has ${byteCount} bytes, and CloudFormation takes ${MAX_INLINE_BYTES} without a bucket: set ` +
          'bucket under aws: in the job file.',
      )
    }
    const hash = createHash('sha256').update(text).digest('hex')
    const key = `${jobProgramsPrefix(this.#spec.jobId)}template-${hash.slice(0, 16)}.json`
    await store.put({ key, content: async () => Buffer.from(text) })
    return { TemplateURL: store.urlOf(key) }
  }

  async #deployedTemplate(): Promise<string | undefined> {
    const { TemplateBody } = await this.#client.send(
      new GetTemplateCommand({ StackName: this.#name, TemplateStage: 'Original' }),
    )
    return TemplateBody
  }

  #store(): ProgramStore | undefined {
    const { bucket } = this.#settings
    return bucket === undefined ? undefined : new ProgramStore(this.#settings, this.#region, bucket)
  }

  #failure(error: unknown, doing: string): Error {
    return awsFailure(error, { doing: `${doing} job "${this.#spec.jobId}"`, region: this.#region })
  }
}

type TemplateInput = { readonly TemplateBody: string } | { readonly TemplateURL: string }

interface MadeTemplate {
  readonly text: string
  readonly programs: readonly ReadyProgram[]
}

/** Makes the request one, however often the SDK repeats it; and finds its events again. */
function newToken(): string {
  return `cloud-tasks-${randomUUID()}`
}

/** By purpose, which the template writes into the description of each. */
function outputsOf({ Outputs: outputs = [] }: Stack): Record<string, string> {
  return Object.fromEntries(
    outputs.map(({ Description: purpose, OutputKey: key = '', OutputValue: value = '' }) => [purpose ?? key, value]),
  )
}
