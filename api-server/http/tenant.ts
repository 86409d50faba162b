import type { FastifyRequest } from 'fastify'

/**
 * Whose request it is. Every caller is `default` as long as the API listens on loopback only and knows nobody by name;
 * authentication will answer here.
 */
export function tenantOf(_request: FastifyRequest): string {
  return 'default'
}
