// Puts what is caught while the page is open at its top. The server renders; here it is only inserted.
const main = document.querySelector('main')
const { boot } = document.body.dataset
const newest = main.querySelector('article')?.id.slice(1) ?? '0'
const source = new EventSource(`/dev/mailbox/events?after=${newest}`)
source.addEventListener('hello', (event) => {
  if (event.data !== boot) location.reload()
})
source.addEventListener('caught', (event) => {
  main.insertAdjacentHTML('afterbegin', String(event.data))
})
