// The branded ids that could be swapped by mistake. Branding happens where untrusted input is parsed, nowhere else.

declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A task's own name, unique in its job. Chosen by the user. */
export type TaskId = Brand<string, 'TaskId'>
/** The id under which a provider lists a VM; equals `instance_id` in the events its agent sends. */
export type VmId = Brand<string, 'VmId'>
/** Names one delivery of one message. Dies with its lease: a redelivered message has a new receipt. */
export type Receipt = Brand<string, 'Receipt'>

export function taskId(text: string): TaskId {
  return text as TaskId
}

export function vmId(text: string): VmId {
  return text as VmId
}

export function receipt(text: string): Receipt {
  return text as Receipt
}
