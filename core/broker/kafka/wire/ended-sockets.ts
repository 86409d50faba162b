import { Connection } from '../kafkajs.ts'

let released = false

/**
 * kafkajs 2.2.4 keeps the socket of a connection that has ended, and takes leave of it anew at every try to reach the broker. On a socket without a
 * handle, Node's `unref` waits for it to connect, with one more listener each time: while brokers are away these pile up, and Node
 * warns of a leak. So a socket that is gone is let go of.
 */
export function releaseEndedSockets(): void {
  if (released) return
  released = true
  const { prototype } = Connection
  const { disconnect } = prototype
  prototype.disconnect = function (this: Connection) {
    if (this.socket?.destroyed) this.socket = null
    return disconnect.call(this)
  }
}
