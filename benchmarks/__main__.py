"""`make bench`: every benchmark, one after the other."""

from benchmarks import bodies, objects, platform, projects, serving

if __name__ == "__main__":
    platform.main()
    objects.main()
    projects.main()
    serving.main()
    bodies.main()
