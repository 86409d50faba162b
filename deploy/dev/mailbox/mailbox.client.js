// Puts what is caught while the page is open at its top. The server renders; here it is only inserted, and its time told as of here.
const kept = 500
const main = document.querySelector('main')
const { boot } = document.body.dataset
const newest = main.querySelector('article')?.id.slice(1) ?? '0'
const tellTimes = () => {
  for (const time of main.querySelectorAll('time'))
    time.textContent = new Date(time.dateTime).toLocaleTimeString()
}
tellTimes()
const source = new EventSource(`/dev/mailbox/events?after=${newest}`)
source.addEventListener('hello', (event) => {
  if (event.data !== boot) location.reload()
})
source.addEventListener('caught', (event) => {
  main.insertAdjacentHTML('afterbegin', String(event.data))
  tellTimes()
  if (main.childElementCount > kept) main.lastElementChild.remove()
})
