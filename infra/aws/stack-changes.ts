// What differs between two templates, as rows for people. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { StackChange } from '../stack.ts'

interface Template {
  readonly Resources?: Readonly<Record<string, Resource>>
}

interface Resource {
  readonly Type?: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

/** Both as JSON text; `before` is undefined where there is no stack. */
export function templateChanges(before: string | undefined, after: string): StackChange[] {
  const [old, wanted] = [before === undefined ? {} : parseTemplate(before), parseTemplate(after)]
  const [oldResources, newResources] = [old.Resources ?? {}, wanted.Resources ?? {}]
  const changes: StackChange[] = []
  for (const [id, resource] of Object.entries(newResources)) {
    const existing = oldResources[id]
    if (existing === undefined) changes.push({ action: 'create', resource: nameOf(id, resource) })
    else if (!isDeepStrictEqual(existing, resource)) changes.push({ action: 'update', resource: nameOf(id, resource) })
  }
  for (const [id, resource] of Object.entries(oldResources)) {
    if (newResources[id] === undefined) changes.push({ action: 'delete', resource: nameOf(id, resource) })
  }
  if (changes.length === 0 && !isDeepStrictEqual(old, wanted)) {
    changes.push({ action: 'update', resource: 'outputs and parameters of the stack' })
  }
  return changes
}

function parseTemplate(text: string): Template {
  const template: Template = JSON.parse(text)
  return template
}

const NAMES = /^(QueueName|LaunchTemplateName|TableName|DashboardName)$/

/** `SQS Queue my-job-events`; without a name of its own, by that of the CDK. */
function nameOf(id: string, { Type: type = '', Properties: properties = {} }: Resource): string {
  const named = Object.entries(properties).find(([key, value]) => NAMES.test(key) && typeof value === 'string')
  const plainId = id.replace(/^Pool(?=[A-Z])/, '').replace(/[0-9A-F]{8}$/, '')
  return `${type.replace(/^AWS::/, '').replaceAll('::', ' ')} ${named === undefined ? plainId : String(named[1])}`
}
