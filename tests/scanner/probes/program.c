/* What strangers put into images: a server, or something that only says so, as its arguments tell. Static, for images
   from scratch. Without arguments it serves HTTP on 0.0.0.0:8888 under $NB_PREFIX, and 404 elsewhere.

   root            answer everywhere instead
   listen=IP:PORT  listen there instead
   status=N        answer with this status everywhere
   late=SECONDS    sleep before listening
   exit=CODE       end at once with this code
   crash           end at once by a signal
   uid=N           end with code 4 unless run as this user
   groups          end with code 4 unless in group 100 and no other but 0, and the home is root's, 100's and 2775
   need=FILE       end with code 3 unless this file is there
   nobody          end with code 3 where user 1000 is in /etc/passwd
   empty=FOLDER    end with code 3 unless this folder is empty
   free            end with code 5 where privileges cannot be gained
   deaf            ignore every signal that can be ignored
   breed           start a process that starts a process, for ever asleep
   flood           print without end
   dig             make folders in folders in the home, without end
   eat             use memory until something stops it
   talk            open a connection to the world, and end with code 7 where that works */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char address[64] = "0.0.0.0";
static int port = 8888, everywhere = 0, status = 200, late = 0;

static void end(int code, const char *why) {
    printf("program: %s\n", why);
    fflush(stdout);
    _exit(code);
}

static int is_empty(const char *path) {
    int count = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder)) count++;
    return count == 2;
}

static void check_nobody(void) {
    char text[65536] = "";
    FILE *file = fopen("/etc/passwd", "r");
    if (file && fread(text, 1, sizeof text - 1, file) && strstr(text, ":1000:")) end(3, "there is a user 1000");
}

static void check_groups(void) {
    gid_t groups[64];
    struct stat home;
    int count = getgroups(64, groups), found = 0;
    for (int i = 0; i < count; i++) {
        if (groups[i] != 100 && groups[i] != 0) end(4, "another group");
        found |= groups[i] == 100;
    }
    if (!found || getgid() != 0) end(4, "not its groups");
    if (stat("/home/jovyan", &home)) end(4, "no home");
    if (home.st_uid != 0 || home.st_gid != 100 || (home.st_mode & 07777) != 02775) end(4, "not its home");
    FILE *file = fopen("/home/jovyan/mine", "w");
    if (!file) end(4, "cannot write to its home");
}

static void talk(void) {
    struct sockaddr_in world = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "192.0.2.1", &world.sin_addr);
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (connect(sock, (struct sockaddr *)&world, sizeof world) == 0) end(7, "the world is there");
    printf("program: %s\n", strerror(errno));
}

static void in_child(void (*work)(void)) {
    if (fork() == 0) {
        work();
        _exit(0);
    }
}

static void sleep_for_ever(void) {
    for (;;) pause();
}

static void breed(void) {
    in_child(sleep_for_ever);
    sleep_for_ever();
}

static void flood(void) {
    for (unsigned long n = 0;; n++) printf("\033[31mline %lu\033[0m of a flood that never ends\n", n);
}

static void dig(void) {
    if (chdir("/home/jovyan")) return;
    while (mkdir("d", 0700) == 0 && chdir("d") == 0) {
    }
}

static void eat(void) {
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
}

static void obey(const char *word) {
    const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : "";
    if (!strcmp(word, "root")) everywhere = 1;
    else if (!strncmp(word, "listen=", 7)) sscanf(value, "%63[^:]:%d", address, &port);
    else if (!strncmp(word, "status=", 7)) status = atoi(value);
    else if (!strncmp(word, "late=", 5)) late = atoi(value);
    else if (!strncmp(word, "exit=", 5)) end(atoi(value), "ending as told");
    else if (!strcmp(word, "crash")) __builtin_trap();
    else if (!strncmp(word, "uid=", 4)) { if ((int)getuid() != atoi(value)) end(4, "not that user"); }
    else if (!strcmp(word, "groups")) check_groups();
    else if (!strncmp(word, "need=", 5)) { if (access(value, R_OK)) end(3, "a file is missing"); }
    else if (!strcmp(word, "nobody")) check_nobody();
    else if (!strncmp(word, "empty=", 6)) { if (!is_empty(value)) end(3, "a folder is not empty"); }
    else if (!strcmp(word, "free")) { if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) end(5, "not free"); }
    else if (!strcmp(word, "deaf")) for (int n = 1; n < 32; n++) signal(n, SIG_IGN);
    else if (!strcmp(word, "breed")) in_child(breed);
    else if (!strcmp(word, "flood")) in_child(flood);
    else if (!strcmp(word, "dig")) in_child(dig);
    else if (!strcmp(word, "eat")) eat();
    else if (!strcmp(word, "talk")) talk();
    else end(2, "unknown word");
}

static void answer(int connection) {
    char request[8192] = "", path[4096] = "";
    const char *prefix = getenv("NB_PREFIX") ? getenv("NB_PREFIX") : "";
    size_t seen = 0;
    while (seen < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t more = read(connection, request + seen, sizeof request - 1 - seen);
        if (more <= 0) return;
        seen += more;
        request[seen] = '\0';
    }
    sscanf(request, "GET %4095[^ ?]", path);
    int there = everywhere || !strncmp(path, prefix, strlen(prefix));
    dprintf(connection, "HTTP/1.1 %d X\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n",
            there ? status : 404);
}

int main(int count, char **words) {
    int on = 1;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < count; i++) obey(words[i]);
    sleep(late);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &where.sin_addr);
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(sock, (struct sockaddr *)&where, sizeof where) || listen(sock, 64)) end(6, "cannot listen");
    printf("program: listening on %s:%d as user %d\n", address, port, (int)getuid());
    fflush(stdout);
    for (;;) {
        int connection = accept(sock, NULL, NULL);
        if (connection < 0) continue;
        answer(connection);
        close(connection);
    }
}
