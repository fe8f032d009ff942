// The queue seam on Pub/Sub: a topic with one subscription. Messages are delivered at least once and in no order; there are no
// priorities.
// Killed at any line: what was received comes back when its lease ends, what was sent and not yet answered may be there twice,
// and a message is acknowledged only when its caller is done with it.
import type { Receipt } from '../../core/ids.ts'
import { AdaptiveLimit } from '../adaptive-limit.ts'
import type { Delivery, OutgoingMessage, Queue, QueueAdmin, ReceiveOptions, Settlement } from '../provider.ts'
import { QueueAddress, wholeLeaseSeconds } from './queue-address.ts'
import { PubSubQueueAdmin } from './queue-admin.ts'
import type { PubSubConnection } from './queue-connection.ts'
import { QueueReceiver } from './queue-receive.ts'
import { sendMessages } from './queue-send.ts'
import { QueueSettler } from './queue-settle.ts'

export class PubSubQueue implements Queue {
  readonly name: string
  readonly admin: QueueAdmin
  readonly #connection: PubSubConnection
  readonly #address: QueueAddress
  readonly #receiver: QueueReceiver
  readonly #settler: QueueSettler
  /** Apart from settling, so that renewing leases never waits behind a load of a million tasks. */
  readonly #sending = new AdaptiveLimit()

  constructor(name: string, connection: PubSubConnection, lease: number) {
    const leaseSeconds = wholeLeaseSeconds(lease)
    const address = new QueueAddress(name, connection, leaseSeconds)
    const settler = new QueueSettler({ address, connection, leaseSeconds, limit: new AdaptiveLimit() })
    // What cannot be handed back comes back by itself when its lease ends.
    const giveBack = (receipts: readonly Receipt[]) => settler.release(receipts, 0).catch(() => undefined)
    this.name = name
    this.admin = new PubSubQueueAdmin({ address, connection, settler })
    this.#connection = connection
    this.#address = address
    this.#settler = settler
    this.#receiver = new QueueReceiver({ address, connection, settler, leaseSeconds, giveBack })
  }

  async send(messages: readonly OutgoingMessage[]): Promise<void> {
    if (messages.length === 0) return
    await sendMessages(messages, { address: this.#address, connection: this.#connection, limit: this.#sending })
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
