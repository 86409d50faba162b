/** What all ratios are to: the least that an API can do with the same request, which is to validate it and to answer 202 with an id. */
import { fastify } from 'fastify'
import { bareRoute } from './bare-route.ts'
import { serve } from './serve.ts'

const app = fastify()
bareRoute(app, async () => {})
await serve(app, async () => {})
