import type { FastifyInstance } from 'fastify'
import { listenRefused, urlOf } from '../core/process/listen.ts'
import type { ListenAddress } from '../core/settings/values.ts'

/** Lets the API listen, and answers its URL. Throws StartRefused when the address cannot be listened on. */
export async function listen(api: FastifyInstance, address: ListenAddress): Promise<string> {
  try {
    await api.listen(address)
  } catch (error) {
    throw listenRefused('CARILLON_LISTEN', address, error)
  }
  return urlOf(api.server, address)
}
