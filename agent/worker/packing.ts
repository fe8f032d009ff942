// How arguments and results that are more than JSON travel: as text that a serializer makes and a deserializer reads.

/** `JSON` is one. */
export interface Serializer {
  stringify(value: unknown): string
}
/** `JSON` is one. */
export interface Deserializer {
  parse(text: string): unknown
}

export interface Packing {
  /** Default: arguments and results are JSON as they are. */
  readonly serializer?: Serializer
  /** Reads what the serializer wrote. Default: what was packed is handed on packed. */
  readonly deserializer?: Deserializer
}

export function packArguments(args: readonly unknown[], { serializer }: Packing): unknown {
  return serializer === undefined ? args : { packed: serializer.stringify(args) }
}

export function packResult(value: unknown, { serializer }: Packing): unknown {
  return serializer === undefined ? value : { packed: serializer.stringify(value) }
}

export function unpackValue(value: unknown, { deserializer }: Packing): unknown {
  if (deserializer === undefined || typeof value !== 'object' || value === null || !('packed' in value)) return value
  return typeof value.packed === 'string' ? deserializer.parse(value.packed) : value
}
