// The template of a job's stack, made as "cloud-tasks deploy" makes it, with what tests ask of it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { SectionValues } from '../../../core/config-keys.ts'
import type { JobFile } from '../../../core/job-file.ts'
import { loadStackProgram, type SynthInputs } from '../../../infra/aws/stack-program.ts'
import { jobConfigWith } from '../../support/job-config.ts'

export interface Resource {
  readonly Type: string
  readonly Properties: Properties
  readonly DependsOn?: readonly string[]
  readonly DeletionPolicy?: string
}

type Properties = Readonly<Record<string, unknown>>

export interface Statement {
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: unknown
}

const CDK_FOLDER = join(import.meta.dirname, '../../../infra/aws/node_modules/aws-cdk-lib')

/** Runs `define` if the packages of the CDK are there. If not, one skipped test says so. */
export function withCdk(define: () => void): void {
  if (existsSync(CDK_FOLDER)) define()
  else it('needs the CDK', { skip: 'its packages are not installed: npm ci --prefix infra/aws' }, () => {})
}

export interface TemplateOptions extends Partial<Omit<SynthInputs, 'config'>> {
  readonly run?: JobFile['run']
  readonly aws?: SectionValues
}

export async function templateOf({ run, aws, ...inputs }: TemplateOptions = {}): Promise<Template> {
  const { synthesise } = await loadStackProgram()
  const config = jobConfigWith({
    provider: 'aws',
    run: { ...(run?.task === undefined && { startup_script: 'echo hello' }), ...run },
    aws: { job_id: 'my-job', region: 'us-east-1', ...aws },
  })
  const stackName = 'cloud-tasks-my-job'
  const text = synthesise({
    jobId: 'my-job',
    stackName,
    region: 'us-east-1',
    manager: 'serverless',
    programs: { manager: stored('manager.zip') },
    ...inputs,
    config,
  })
  return new Template(text)
}

export function stored(name: string) {
  return { bucket: 'my-bucket', key: `cloud-tasks/programs/my-job/${name}`, sha512: 'ab'.repeat(64) }
}

export class Template {
  readonly text: string
  readonly resources: Readonly<Record<string, Resource>>

  constructor(text: string) {
    this.text = text
    const { Resources: resources }: { Resources: Record<string, Resource> } = JSON.parse(text)
    this.resources = resources
  }

  ofType(type: string): Resource[] {
    return Object.values(this.resources).filter(({ Type }) => Type === type)
  }

  /** The only one of its type. */
  one(type: string): Resource {
    const [only, ...others] = this.ofType(type)
    if (only === undefined || others.length > 0) throw new Error(`The template has not one ${type}.`)
    return only
  }

  idOf(resource: Resource): string {
    const found = Object.entries(this.resources).find(([, candidate]) => candidate === resource)
    if (found === undefined) throw new Error('The resource is not of this template.')
    return found[0]
  }

  /** By the name of the role or policy in the template. */
  statements(): { readonly owner: string; readonly statement: Statement }[] {
    return Object.entries(this.resources).flatMap(([owner, { Type, Properties }]) => {
      if (Type === 'AWS::IAM::Policy')
        return documentOf(Properties.PolicyDocument).map(statement => ({ owner, statement }))
      if (Type !== 'AWS::IAM::Role') return []
      const policies = (Properties.Policies ?? []) as readonly { PolicyDocument: unknown }[]
      return policies.flatMap(({ PolicyDocument }) =>
        documentOf(PolicyDocument).map(statement => ({ owner, statement })),
      )
    })
  }
}

function documentOf(document: unknown): Statement[] {
  return (document as { Statement: Statement[] }).Statement
}

export function listed<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}

/** As CloudFormation joins it, with the names of what only a deployment knows in brackets. */
export function rendered(value: unknown): string {
  if (typeof value === 'string') return value
  const [[name, inside] = ['', undefined]] = Object.entries(value as object)
  if (name === 'Ref') return `<${String(inside).replaceAll('::', '.')}>`
  if (name === 'Fn::GetAtt') return `<${(inside as string[]).join('.')}>`
  if (name === 'Fn::Base64') return rendered(inside)
  if (name === 'Fn::Join') {
    const [separator, parts] = inside as [string, unknown[]]
    return parts.map(rendered).join(separator)
  }
  throw new Error(`This test cannot read ${name}.`)
}
