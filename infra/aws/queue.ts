// The queue seam on SQS. Messages are delivered at least once and in no order; SQS has no priorities.
// Killed at any line: what was received comes back when its lease ends, what was sent and not yet answered may be there twice,
// and a message is deleted only when its caller is done with it.
import type { Receipt } from '../../core/ids.ts'
import { AdaptiveLimit } from '../adaptive-limit.ts'
import type { Delivery, OutgoingMessage, Queue, QueueAdmin, ReceiveOptions, Settlement } from '../provider.ts'
import { QueueAddress, wholeLeaseSeconds } from './queue-address.ts'
import { SqsQueueAdmin } from './queue-admin.ts'
import type { SqsConnection } from './queue-connection.ts'
import { QueueReceiver } from './queue-receive.ts'
import { sendMessages } from './queue-send.ts'
import { QueueSettler } from './queue-settle.ts'

export class SqsQueue implements Queue {
  readonly name: string
  readonly admin: QueueAdmin
  readonly #connection: SqsConnection
  readonly #address: QueueAddress
  readonly #receiver: QueueReceiver
  readonly #settler: QueueSettler
  /** Of this queue alone, and not of its settler: a lease is not renewed late because a million tasks are being loaded. */
  readonly #sending = new AdaptiveLimit()

  constructor(name: string, connection: SqsConnection, lease: number) {
    const leaseSeconds = wholeLeaseSeconds(lease)
    const address = new QueueAddress(name, connection, leaseSeconds)
    const settler = new QueueSettler({ address, connection, leaseSeconds })
    // What cannot be handed back comes back by itself when its lease ends.
    const giveBack = (receipts: readonly Receipt[]) => settler.release(receipts, 0).catch(() => undefined)
    this.name = name
    this.admin = new SqsQueueAdmin(address, connection)
    this.#connection = connection
    this.#address = address
    this.#receiver = new QueueReceiver({ address, connection, leaseSeconds, giveBack })
    this.#settler = settler
  }

  async send(messages: readonly OutgoingMessage[]): Promise<void> {
    const [address, connection, limit] = [this.#address, this.#connection, this.#sending]
    if (messages.length > 0) await sendMessages(messages, { address, connection, limit })
  }

  receive(options: ReceiveOptions): Promise<readonly Delivery[]> {
    return this.#receiver.receive(options)
  }

  renew(receipts: readonly Receipt[]): Promise<Settlement> {
    return this.#settler.renew(receipts)
  }

  ack(receipts: readonly Receipt[]): Promise<Settlement> {
    return this.#settler.ack(receipts)
  }

  release(receipts: readonly Receipt[], delaySeconds: number): Promise<Settlement> {
    return this.#settler.release(receipts, delaySeconds)
  }
}
