/* A notebook server in a few kilobytes, static, for images from scratch. Without arguments it is all that Kubeflow asks for:
   HTTP on 0.0.0.0:8888 under $NB_PREFIX, Access-Control-Allow-Origin: *, 404 elsewhere.

   --serve root       answer everywhere but there, and without the header, as code-server does
   --serve nothing    listen nowhere
   --listen ADDRESS   listen on this IPv4 address only
   --port NUMBER      listen on this port instead
   --delay SECONDS    sleep before it listens
   --need FILE        end with code 3 unless the file is there, as a program whose files in the home are hidden does
   --need-root        end with code 4 unless it runs as root
   --write FILE       end with code 5 unless this file can be written
   --exit CODE        end with this code at once
   --flood            answer every request with a body that never ends
   --eat              use memory until something stops it */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *prefix, *address = "0.0.0.0", *serve = "prefix", *need = NULL, *writes = NULL;
static int port = 8888, delay = 0, need_root = 0, flood = 0, eat = 0, ends = 0, code = 0;

static void end(int ending, const char *why, const char *what) {
    fprintf(stderr, "server: %s%s\n", why, what);
    _exit(ending);
}

static void on_signal(int number) {
    (void)number;
    _exit(0); /* the first process of a container has no default action */
}

static void read_arguments(int count, char **words) {
    for (int i = 1; i < count; i++) {
        const char *word = words[i], *value = i + 1 < count ? words[i + 1] : "";
        if (!strcmp(word, "--need-root")) need_root = 1;
        else if (!strcmp(word, "--flood")) flood = 1;
        else if (!strcmp(word, "--eat")) eat = 1;
        else if (!strcmp(word, "--serve")) serve = value, i++;
        else if (!strcmp(word, "--listen")) address = value, i++;
        else if (!strcmp(word, "--port")) port = atoi(value), i++;
        else if (!strcmp(word, "--delay")) delay = atoi(value), i++;
        else if (!strcmp(word, "--need")) need = value, i++;
        else if (!strcmp(word, "--write")) writes = value, i++;
        else if (!strcmp(word, "--exit")) ends = 1, code = atoi(value), i++;
        else end(2, "unknown argument ", word);
    }
}

static void check_surroundings(void) {
    if (ends) end(code, "ending as told", "");
    if (need_root && getuid() != 0) end(4, "must be root", "");
    if (need && access(need, R_OK)) end(3, "no file ", need);
    if (writes) {
        FILE *file = fopen(writes, "w");
        if (!file) end(5, "cannot write ", writes);
        fclose(file);
    }
    while (eat) memset(malloc(1 << 20), 1, 1 << 20);
}

static int is_ours(const char *path) {
    size_t length = strlen(prefix);
    int under = !strncmp(path, prefix, length) && (path[length] == '/' || path[length] == '\0');
    return strcmp(serve, "root") ? under : !under;
}

static void answer(int connection) {
    char request[8192] = "", method[16] = "", path[4096] = "", text[512];
    size_t seen = 0;
    alarm(10); /* a client that says nothing, such as a probe of the kubelet's */
    while (seen < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t more = read(connection, request + seen, sizeof request - 1 - seen);
        if (more <= 0) _exit(0);
        seen += more;
        request[seen] = '\0';
    }
    sscanf(request, "%15s %4095[^ ?]", method, path);
    int ours = is_ours(path);
    const char *origin = strcmp(serve, "root") ? "Access-Control-Allow-Origin: *\r\n" : "";
    const char *body = ours ? "<title>notebook</title>\n" : "not here\n";
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Type: text/html\r\nConnection: close\r\n",
             ours ? "200 OK" : "404 Not Found", origin);
    dprintf(connection, "%s", text);
    if (!flood) {
        dprintf(connection, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
        _exit(0);
    }
    static char filling[65536];
    dprintf(connection, "\r\n");
    while (write(connection, filling, sizeof filling) > 0) {
    }
    _exit(0);
}

static int listening(void) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, sock = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, address, &where.sin_addr);
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(sock, (struct sockaddr *)&where, sizeof where) || listen(sock, 64))
        end(6, "cannot listen: ", strerror(errno));
    fprintf(stderr, "server: listening on %s:%d as user %d\n", address, port, (int)getuid());
    return sock;
}

int main(int count, char **words) {
    prefix = getenv("NB_PREFIX") ? getenv("NB_PREFIX") : "";
    signal(SIGTERM, on_signal);
    signal(SIGCHLD, SIG_IGN); /* children are not waited for */
    read_arguments(count, words);
    check_surroundings();
    sleep(delay);
    if (!strcmp(serve, "nothing"))
        for (;;) pause();
    for (int sock = listening();;) {
        int connection = accept(sock, NULL, NULL);
        if (connection < 0) continue;
        if (fork() == 0) {
            signal(SIGTERM, SIG_DFL);
            answer(connection);
        }
        close(connection);
    }
}
