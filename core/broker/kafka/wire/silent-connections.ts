import { Connection } from '../kafkajs.ts'

let ended = false

/**
 * kafkajs 2.2.4 gives up a request that is not answered in time and keeps its connection, so that one whose other end is gone without a word
 * (a machine that lost its power, a firewall that forgot) takes every further request and answers none. As Kafka's own client does, the
 * connection of such a request is ended: what else waits there is rejected, and the next request connects anew.
 */
export function endSilentConnections(): void {
  if (ended) return
  ended = true
  const { prototype } = Connection
  const { send } = prototype
  prototype.send = async function (this: Connection, protocol) {
    try {
      return await send.call(this, protocol)
    } catch (error) {
      if (error instanceof Error && error.name === 'KafkaJSRequestTimeoutError') this.socket?.destroy(error)
      throw error
    }
  }
}
