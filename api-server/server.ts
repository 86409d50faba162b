import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import type { Kysely } from 'kysely'
import type { Registry } from 'prom-client'
import type { Broker } from '../core/broker/broker.ts'
import type { Catalog } from '../core/catalog/catalog.ts'
import type { Clock, Timers } from '../core/clock.ts'
import type { InstallKeys } from '../core/notification/ids.ts'
import { registerLag } from '../core/observability/lag-metrics.ts'
import type { Logger } from '../core/observability/logger.ts'
import type { Database } from '../core/store/schema.ts'
import type { TemplateThreads } from '../core/template/threads/template-threads.ts'
import { createCheckData } from './accept/check-data.ts'
import { poolRandomBytes } from './accept/random-pool.ts'
import { createSend } from './accept/send.ts'
import { answerUnreadable } from './http/client-error.ts'
import { answerErrors, answerFrameworkError } from './http/error-handler.ts'
import { setHeaders } from './http/headers.ts'
import { checkHost } from './http/host-check.ts'
import { readJsonBodies } from './http/json-body.ts'
import { validateRequests } from './http/validation.ts'
import { registerDeadLetters } from './observability/dead-letter-metric.ts'
import { createApiMetrics, forgetDeletedChannels } from './observability/metrics.ts'
import { observeRequests, routeOf } from './observability/observe.ts'
import { traceRequests } from './observability/trace-requests.ts'
import { serveDocumentation } from './openapi/documentation.ts'
import { cancelNotification } from './routes/cancel-notification.ts'
import { postApiV1Notifications } from './routes/compatibility/api-v1.ts'
import { postNotify } from './routes/compatibility/notify.ts'
import { postSendNotification } from './routes/compatibility/send-notification.ts'
import { getUserNotifications } from './routes/compatibility/user-notifications.ts'
import { deadLetters } from './routes/dead-letters.ts'
import { getInbox } from './routes/get-inbox.ts'
import { getNotification } from './routes/get-notification.ts'
import { health } from './routes/health.ts'
import { metrics } from './routes/metrics.ts'
import { postNotification } from './routes/post-notification.ts'
import { replays } from './routes/replays.ts'
import { users } from './routes/users.ts'
import { type Link, welcome } from './routes/welcome.ts'

export interface ApiOptions {
  catalog: Catalog
  /** Checks data where that may take long. */
  templates: Pick<TemplateThreads, 'validate'>
  broker: Pick<Broker, 'producer' | 'admin'>
  db: Kysely<Database>
  keys: InstallKeys
  /** Prefix of the install's topics. */
  prefix: string
  logger: Logger
  /** Where the API registers its metrics, and what `/metrics` shows. */
  metrics: Registry
  clock: Clock & Timers
  /** Cryptographically random. */
  randomBytes: (size: number) => Buffer
  /** False while the process starts or drains: `/readyz` says so. */
  isReady: () => boolean
  /** What else this process serves, for the page at `/`. */
  links?: readonly Link[]
}

/** Bytes. A request must fit a Kafka record (1 MiB by default) with its headers, and each of its deliveries carries the data. */
const bodyLimit = 256 * 1024
/** Milliseconds for a client to send a whole request: a slow one must not hold a connection for ever. */
const requestTimeout = 30_000
/** Longer than the idle time of common load balancers (60 s), so that it is not we who close under a request. */
const keepAliveTimeout = 72_000

/** The HTTP API: routes, documentation, health and metrics. Does not listen; `close` lets requests in flight finish. */
export async function buildApi(options: ApiOptions): Promise<FastifyInstance> {
  const { catalog, broker, db, keys, prefix, clock, isReady, links = [] } = options
  const randomBytes = poolRandomBytes(options.randomBytes)
  const registry = options.metrics
  const logger = options.logger.child({ component: 'api' })
  const app = fastify({
    loggerInstance: requestLogger(logger),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => `req_${randomBytes(12).toString('base64url')}`,
    bodyLimit,
    requestTimeout,
    keepAliveTimeout,
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerUnreadable,
    routerOptions: { maxParamLength: 1_024 },
  })
  const apiMetrics = createApiMetrics(registry)
  forgetDeletedChannels(apiMetrics, catalog)
  registerLag({ registry, admin: broker.admin, catalog, prefix, clock, logger })
  registerDeadLetters({ registry, db, catalog, clock, logger })
  const send = createSend({
    catalog,
    checkData: createCheckData(options.templates),
    producer: broker.producer,
    db,
    keys,
    prefix,
    clock,
    randomBytes,
    metrics: apiMetrics,
    logger,
  })

  // Answers are written as they are: their schemas are for the documentation, and tests hold the two together.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  setHeaders(app)
  traceRequests(app)
  observeRequests(app, apiMetrics)
  answerErrors(app)
  checkHost(app)
  readJsonBodies(app)
  validateRequests(app)
  await serveDocumentation(app)

  welcome(app, { links })
  postNotification(app, { send, keys })
  getNotification(app, { db, keys })
  cancelNotification(app, { db, keys })
  deadLetters(app, { db, keys })
  replays(app, { db, keys, catalog })
  users(app, { db, clock })
  getInbox(app, { db })
  postSendNotification(app, { send, catalog, keys })
  postNotify(app, { send, catalog })
  getUserNotifications(app, { db })
  postApiV1Notifications(app, { send, catalog, keys })
  health(app, { catalog, isReady })
  metrics(app, { registry })
  return app
}

/** Should Fastify write of a request or an answer, it is the route and the status: URLs have ids and addresses in them. */
function requestLogger(logger: Logger): FastifyBaseLogger {
  return logger.child(
    {},
    {
      serializers: {
        req: (request: Parameters<typeof routeOf>[0]) => ({
          method: request.method,
          route: routeOf(request),
        }),
        res: (reply: { statusCode: number }) => ({ status: reply.statusCode }),
      },
    },
  )
}
