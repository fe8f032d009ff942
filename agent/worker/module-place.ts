// Entry of the processes and threads of a TaskQueue's worker: runs the functions that a module exports.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../../core/errors.ts'
import { namedTask } from './named-task.ts'
import type { Deserializer, Packing, Serializer } from './packing.ts'
import { openPlace } from './place.ts'

const [, , file = '', maxCpuPercent] = process.argv
const loop = openPlace()
try {
  const exports: Readonly<Record<string, unknown>> = await import(pathToFileURL(resolve(file)).href)
  const find = (name: string) => {
    const value = Object.hasOwn(exports, name) ? exports[name] : undefined
    return typeof value === 'function' ? (...args: never[]): unknown => value(...args) : undefined
  }
  loop.start({
    run: namedTask(find, `exported by ${file}`, packingOf(exports)),
    ...(maxCpuPercent ? { maxCpuPercent: Number(maxCpuPercent) } : undefined),
  })
} catch (error) {
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`)
  loop.refuse(`Task module ${file} cannot be loaded: ${messageOf(error).split('\n')[0]}.`)
  process.exit(1)
}

function packingOf({ serializer, deserializer }: Readonly<Record<string, unknown>>): Packing {
  return {
    ...(isSerializer(serializer) ? { serializer } : undefined),
    ...(isDeserializer(deserializer) ? { deserializer } : undefined),
  }
}

function isSerializer(value: unknown): value is Serializer {
  return typeof value === 'object' && value !== null && 'stringify' in value && typeof value.stringify === 'function'
}

function isDeserializer(value: unknown): value is Deserializer {
  return typeof value === 'object' && value !== null && 'parse' in value && typeof value.parse === 'function'
}
